"""The secrets of an author at rest: sealed in what is stored, blank in what is exported.

They are the values of secret variables, and keys that stand in settings (`engine.definition.credentials`). They are
clear only in the memory of the process that runs the app.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from engine.definition import credentials
from engine.definition.definition_text import Places, written_with
from engine.definition.error import DefinitionError, Path
from engine.definition.yaml_guard import read
from engine.events.masking import KEYS, Mask, secrets_of
from engine.running.sealing import SealBroken, Sealer
from store.refusal import Refusal

logger = logging.getLogger(__name__)

_KIND, _SEALED, _WHOLE = "secret", "sealed", "$sealed"


def sealed(document: Mapping[str, Any], sealer: Sealer, source: str = "") -> dict[str, Any]:
    """Return a definition as it is stored: each secret variable has ``sealed`` instead of its value, and the whole has
    ``sealed`` for the keys in its settings and in its text (``source``), if there are any.
    """

    def one(item: dict[str, Any]) -> dict[str, Any]:
        if item.get("value_type") != _KIND or not item.get("value"):
            return item
        return {**item, "value": "", _SEALED: sealer.seal(str(item["value"]))}

    made = _with_variables(document, one)
    found = credentials.found(made)
    written = credentials.found(read(source)[0]) if source else []
    if not found and not written:
        return made
    for credential in found:
        made = _put(made, credential.path, credential.blank)
    kept = {
        "document": [[one.path, one.written] for one in found],
        "source": [[one.path, one.written] for one in written],
        "keys": credentials.long_enough(chain.from_iterable(one.keys for one in found)),
    }
    return {**made, _SEALED: sealer.seal(json.dumps(kept))}


def opened(document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return a stored definition as it is run. Refusals: app_unavailable, when it was sealed with another key."""

    def one(item: dict[str, Any]) -> dict[str, Any]:
        if not item.get(_SEALED):
            return item
        try:
            value = sealer.unseal(item[_SEALED])
        except SealBroken:
            raise _foreign(f"The secret variable '{item.get('name')}' was") from None
        return {**{name: kept for name, kept in item.items() if name != _SEALED}, "value": value}

    made = _with_variables(document, one)
    kept = _kept_in(made, sealer)
    if kept is None:
        return made
    del made[_SEALED]
    for path, written in kept["document"]:
        made = _put(made, tuple(path), written)
    return {**made, KEYS: kept["keys"]} if kept["keys"] else made


def resealed(document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return a stored definition sealed with the sealer's own key. Raises `SealBroken`."""

    def one(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, _SEALED: sealer.renew(item[_SEALED])} if item.get(_SEALED) else item

    made = _with_variables(document, one)
    return {**made, _SEALED: sealer.renew(made[_SEALED])} if _SEALED in made else made


def blanked(source: str) -> str:
    """Return the text of a definition that can be read, with its secrets left empty."""
    source = source.removeprefix("\ufeff")
    value, root = read(source)
    places: Places = {one.path: one.blank for one in credentials.found(value)}
    places |= {(*_VARIABLES, index, "value"): "" for index, _ in _secrets(value)}
    if not places:
        return source
    text = written_with(source, value, root, places)
    if _without_secrets(text):
        return text
    # Values that stand in several places (anchors, merged mappings): remarks are lost, the secrets are not told.
    secrets = [*(item["value"] for _, item in _secrets(value)), *(one.written for one in credentials.found(value))]
    for path, blank in places.items():
        value = _put(value, path, blank)
    return written_with("", _emptied(value, secrets), None, {}, as_yaml=True)


def restored(source: str, document: Mapping[str, Any], sealer: Sealer) -> str:
    """Return the exported text with the secrets in it again. Refusals: app_unavailable, sealed with another key."""
    value, root = read(source)
    kept = _kept_in(document, sealer)
    places: Places = {tuple(path): written for path, written in kept["source"]} if kept else {}
    clear = {item["name"]: item.get("value") for item in opened(document, sealer).get("environment_variables") or []}
    for index, item in _items(value):
        if item.get("value_type") == _KIND and clear.get(item.get("name")):
            places[(*_VARIABLES, index, "value")] = clear[item["name"]]
    return written_with(source, value, root, places)


_VARIABLES: Path = ("workflow", "environment_variables")


def _items(value: Any) -> list[tuple[int, dict[str, Any]]]:
    # A source that is stored may be any document: an odd one holds no secrets, and must not stop a start.
    workflow = value.get("workflow") if isinstance(value, dict) else None
    items = workflow.get("environment_variables") if isinstance(workflow, dict) else None
    return [
        (index, item) for index, item in enumerate(items if isinstance(items, list) else ()) if isinstance(item, dict)
    ]


def _secrets(value: Any) -> list[tuple[int, dict[str, Any]]]:
    return [(index, one) for index, one in _items(value) if one.get("value_type") == _KIND and one.get("value")]


def _kept_in(document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any] | None:
    if _SEALED not in document:
        return None
    try:
        kept: dict[str, Any] = json.loads(sealer.unseal(document[_SEALED]))
    except SealBroken:
        raise _foreign("The keys in this app's settings were") from None
    return kept


def _foreign(what: str) -> Refusal:
    return Refusal("app_unavailable", f"{what} stored under another secret key; import the app again.")


def _put(value: Any, path: Path | Iterable[str | int], text: str) -> Any:
    """The value with a text at a place; all that is not on the way there is shared."""
    name, *rest = path
    made: Any = list(value) if isinstance(value, list) else dict(value)
    made[name] = _put(made[name], rest, text) if rest else text
    return made


def _emptied(value: Any, secrets: list[Any]) -> Any:
    if isinstance(value, dict):
        return {name: _emptied(one, secrets) for name, one in value.items()}
    if isinstance(value, list):
        return [_emptied(one, secrets) for one in value]
    return "" if value in secrets else value


def _without_secrets(text: str) -> bool:
    try:
        value = read(text)[0]
    except DefinitionError:
        return False
    return not _secrets(value) and not credentials.found(value)


def kept(values: Mapping[str, Any], document: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return a conversation's variables as they are stored: sealed as a whole if a secret was written to one."""
    text = json.dumps(values, ensure_ascii=False)
    return {_WHOLE: sealer.seal(text)} if Mask(secrets_of(document)).finds(text) else dict(values)


def kept_again(values: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    """Return what `kept` made, sealed with the sealer's own key. Raises `SealBroken`."""
    return {_WHOLE: sealer.renew(values[_WHOLE])} if _WHOLE in values else dict(values)


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
