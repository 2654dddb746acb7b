"""The values of an author's secret variables at rest: sealed in what is stored, blank in what is exported.

They are clear only in the memory of the process that runs the app.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from engine.definition.error import DefinitionError
from engine.definition.yaml_guard import read
from engine.events.masking import Mask, secrets_of
from engine.running.sealing import SealBroken, Sealer
from store.refusal import Refusal

logger = logging.getLogger(__name__)

_KIND, _SEALED, _WHOLE = "secret", "sealed", "$sealed"


def sealed(document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return a definition as it is stored: each secret variable has ``sealed`` instead of its value."""

    def one(item: dict[str, Any]) -> dict[str, Any]:
        if item.get("value_type") != _KIND or not item.get("value"):
            return item
        return {**item, "value": "", _SEALED: sealer.seal(str(item["value"]))}

    return _with_variables(document, one)


def opened(document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return a stored definition as it is run. Refusals: app_unavailable, when it was sealed with another key."""

    def one(item: dict[str, Any]) -> dict[str, Any]:
        if not item.get(_SEALED):
            return item
        try:
            value = sealer.unseal(item[_SEALED])
        except SealBroken:
            told = (
                f"The secret variable '{item.get('name')}' was stored under another secret key; import the app again."
            )
            raise Refusal("app_unavailable", told) from None
        return {**{name: kept for name, kept in item.items() if name != _SEALED}, "value": value}

    return _with_variables(document, one)


def blanked(source: str) -> str:
    """Return the text of a definition that can be read, with the values of its secret variables left empty."""
    source = source.removeprefix("\ufeff")
    value, root = read(source)
    secrets = _secrets(value)
    if not secrets:
        return source
    if root is None:
        for item in secrets:
            item["value"] = ""
        return json.dumps(value, ensure_ascii=False, indent=2)
    text = _cut(source, root)
    if _without_secrets(text):
        return text
    # Values that stand in several places (anchors, merged mappings): remarks are lost, the secrets are not told.
    emptied = _emptied(value, [item["value"] for item in secrets])
    return yaml.safe_dump(emptied, allow_unicode=True, sort_keys=False, width=120)


def _secrets(value: Any) -> list[dict[str, Any]]:
    items = ((value or {}).get("workflow") or {}).get("environment_variables") or []
    return [item for item in items if item.get("value_type") == _KIND and item.get("value")]


def _emptied(value: Any, secrets: list[Any]) -> Any:
    if isinstance(value, dict):
        return {name: _emptied(one, secrets) for name, one in value.items()}
    if isinstance(value, list):
        return [_emptied(one, secrets) for one in value]
    return "" if value in secrets else value


def _cut(source: str, root: Node) -> str:
    """The text without the values where they stand, and all else as its author wrote it."""
    found = _member(_member(root, "workflow"), "environment_variables")
    spots = []
    for item in found.value if isinstance(found, SequenceNode) else []:
        kind, given = _member(item, "value_type"), _member(item, "value")
        if isinstance(kind, ScalarNode) and kind.value == _KIND and given is not None:
            spots.append((given.start_mark.index, given.end_mark.index))
    for start, end in sorted(set(spots), reverse=True):
        # A block's end is the start of what follows it, on another line.
        rest = source[end:]
        source = source[:start] + "''" + ("\n" if source[start:end].endswith("\n") else "") + rest
    return source


def _without_secrets(text: str) -> bool:
    try:
        return not _secrets(read(text)[0])
    except DefinitionError:
        return False


def kept(values: Mapping[str, Any], document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return a conversation's variables as they are stored: sealed as a whole if a secret was written to one."""
    text = json.dumps(values, ensure_ascii=False)
    return {_WHOLE: sealer.seal(text)} if Mask(secrets_of(document)).finds(text) else dict(values)


def recalled(values: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return the variables that `kept` was given; none, when they were sealed with another key."""
    if _WHOLE not in values:
        return dict(values)
    try:
        found: dict[str, Any] = json.loads(sealer.unseal(values[_WHOLE]))
    except SealBroken:
        logger.warning("A conversation's variables were stored under another secret key; it begins with the defaults")
        return {}
    return found


def _with_variables(document: Mapping[str, Any], change: Any) -> dict[str, Any]:
    items = document.get("environment_variables")
    return {**document, "environment_variables": [change(item) for item in items]} if items else dict(document)


def _member(node: Node | None, name: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value for key, value in pairs if isinstance(key, yaml.ScalarNode) and key.value == name), None)
