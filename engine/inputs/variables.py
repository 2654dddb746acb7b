"""The inputs an app declares, in one form for all modes.

Workflow apps declare them on the start node, the others in ``user_input_form`` (a list of one-key objects).
Both are read leniently: a damaged entry is left out or mended, and never stops the others from being read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TEXT_TYPES = frozenset({"text-input", "paragraph"})
FILE_TYPES = frozenset({"file", "file-list"})
FILE_KINDS = ("image", "document", "audio", "video", "custom")
FILE_METHODS = ("remote_url", "local_file", "tool_file", "datasource_file")
# How people write a boolean.
SWITCHES = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
TYPES = TEXT_TYPES | FILE_TYPES | {"select", "number", "checkbox", "json_object", "external_data_tool"}

WORKFLOW_MODES = frozenset({"workflow", "advanced-chat"})
QUERY_MODES = frozenset({"chat", "agent-chat", "advanced-chat"})
MODES = WORKFLOW_MODES | QUERY_MODES | {"completion"}


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared input.

    ``max_length`` counts characters, or files for a ``file-list``; None means no limit.
    """

    name: str
    type: str
    label: str = ""
    description: str = ""
    required: bool = False
    hide: bool = False
    default: Any = None
    max_length: int | None = None
    options: tuple[str, ...] = ()
    allowed_file_types: tuple[str, ...] = ()
    allowed_file_extensions: tuple[str, ...] = ()
    allowed_file_upload_methods: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None


def variables(document: Mapping[str, Any]) -> list[Variable]:
    """The variables of a normalised document, in declared order.

    A name declared twice keeps its first place and its last meaning.
    """
    found: dict[str, Variable] = {}
    for kind, config in declared(document):
        variable = parse(kind, config)
        if variable is not None:
            found[variable.name] = variable
    return list(found.values())


def declared(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each variable as it was stored:

    Its type and its configuration. What is not an object is passed over.
    """
    if document.get("mode") in WORKFLOW_MODES:
        start = start_node(document) or {}
        for config in _list(_dict(start.get("data")).get("variables")):
            if isinstance(config, Mapping):
                kind = config.get("type")
                yield kind if isinstance(kind, str) and kind else "text-input", config
        return
    for row in _list(_dict(document.get("model_config")).get("user_input_form")):
        if isinstance(row, Mapping) and len(row) == 1:
            ((kind, config),) = row.items()
            if isinstance(config, Mapping):
                yield kind, config


def start_node(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The node a run begins at: the first of type ``start``, or None."""
    for node in _list(_dict(document.get("graph")).get("nodes")):
        if isinstance(node, Mapping) and _dict(node.get("data")).get("type") == "start":
            return node
    return None


def parse(kind: str, config: Mapping[str, Any]) -> Variable | None:
    """One stored configuration as a Variable; None when it has no name."""
    name = config.get("variable")
    if not isinstance(name, str) or not name:
        return None
    return Variable(
        name=name,
        type=kind,
        label=_text(config.get("label")),
        description=_text(config.get("description")),
        required=bool(config.get("required")),
        hide=bool(config.get("hide")),
        default=config.get("default"),
        max_length=whole(config.get("max_length")),
        options=tuple(dict.fromkeys(words(config.get("options")))),
        allowed_file_types=tuple(words(config.get("allowed_file_types"))),
        allowed_file_extensions=tuple(words(config.get("allowed_file_extensions"))),
        allowed_file_upload_methods=tuple(words(config.get("allowed_file_upload_methods"))),
        json_schema=schema_object(config.get("json_schema")),
    )


def whole(value: Any) -> int | None:
    """A stored limit as a positive integer (``48``, ``"48"``, ``48.0``);

    Anything else, 0 included, is no limit.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 < value < 2**63 else None


def schema_object(value: Any) -> Mapping[str, Any] | None:
    """A stored ``json_schema``:

    An object, or its JSON text as older editors kept it; None when there is none.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, Mapping) and value else None


def words(value: Any) -> list[str]:
    """A stored list of texts; numbers and booleans in it become text, anything else is left out."""
    return [word(item) for item in _list(value) if isinstance(item, str | int | float)]


def word(value: Any) -> str:
    """A value as the author wrote it: an unquoted ``true`` or ``1`` in YAML is meant as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
