"""Mending the quirks of exported workflows, so that the engine meets one shape only.

Exports of five years differ: notes among the nodes, containers without a start node, tool parameters in two
places, edges to nodes long deleted, numbers where text is meant. Each function mends one of these and tells
what it did in ``warnings``. Layout keys are kept and not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition.adapt_conditions import cases, end_of_loop
from engine.inputs.variables import FILE_KINDS, FILE_METHODS, FILE_TYPES, whole, words

Node = dict[str, Any]

_PROVIDER_TYPES = ("builtin", "plugin", "api", "workflow", "app", "dataset-retrieval", "mcp")
_INPUT_KINDS = ("mixed", "variable", "constant")
_EMPTY: dict[str, Any] = {
    "string": "", "secret": "", "number": 0, "integer": 0, "float": 0.0, "boolean": False, "object": {},
}  # fmt: skip


def node_data(node: Node, warnings: list[str]) -> None:
    """Mend one node's ``data`` in place: null titles, numeric versions, tool parameters, cases, what is required now.

    What an author would look for in vain is told in ``warnings``.
    """
    data = node["data"]
    for key in ("title", "desc", "version"):
        if key in data and not isinstance(data[key], str):
            if data[key] is None:
                del data[key]
            else:
                data[key] = str(data[key])
    for key in ("retry_config", "error_strategy", "default_value"):
        if key in data and not data[key]:
            del data[key]
    if data["type"] == "tool":
        _tool_parameters(node["id"], data, warnings)
    if data["type"] == "if-else":
        cases(node["id"], data, warnings)
    if data["type"] == "loop":
        end_of_loop(data)
    if data["type"] == "list-operator":
        _comparisons(data)
    if data["type"] == "llm" and not data.get("context"):
        data["context"] = {"enabled": False, "variable_selector": []}


def _comparisons(data: dict[str, Any]) -> None:
    """Numbers that a list operator compares with, as the text that it wants; parts that are left out are off."""
    for part in ("filter_by", "order_by", "limit", "extract_by"):
        data[part] = _copy(data.get(part))
    conditions = [_copy(one) for one in data["filter_by"].get("conditions") or [] if isinstance(one, Mapping)]
    for one in [*conditions, data["extract_by"]]:
        for key in ("value", "serial"):
            if isinstance(one.get(key), int | float) and not isinstance(one[key], bool):
                one[key] = str(one[key])
    data["filter_by"]["conditions"] = conditions


def _tool_parameters(node: str, data: dict[str, Any], warnings: list[str]) -> None:
    """Older exports keep parameters as ``{type, value}`` among the configurations, or as bare values."""
    for key in ("provider_id", "provider_name", "tool_label", "tool_name"):
        data[key] = str(data.get(key) or "")
    if data.get("provider_type") not in _PROVIDER_TYPES:
        data["provider_type"] = "builtin"
    configurations = {
        name: value for name, value in _copy(data.get("tool_configurations")).items() if value is not None
    }
    parameters = _copy(data.get("tool_parameters"))
    for name, value in list(configurations.items()):
        if isinstance(value, Mapping) and value.get("type") in _INPUT_KINDS:
            if name not in parameters:
                parameters[name] = dict(value)
                warnings.append(f"The setting '{name}' of the node '{node}' was read as a tool parameter.")
            inner = value.get("value")
            if isinstance(inner, str | int | float):
                configurations[name] = inner
            elif isinstance(inner, list) and inner:
                configurations[name] = "{{#" + ".".join(map(str, inner)) + "#}}"
            else:
                del configurations[name]
    for name, value in parameters.items():
        if not isinstance(value, Mapping):
            kind = "mixed" if isinstance(value, str) else "constant"
            parameters[name] = {"type": kind, "value": value}
            read = "text" if kind == "mixed" else "a constant"
            warnings.append(
                f"The tool parameter '{name}' of the node '{node}' was a bare value; it was read as {read}."
            )
    data["tool_configurations"], data["tool_parameters"] = configurations, parameters


def _copy(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def selectors(value: Any, numbers: set[int]) -> Any:
    """The value with each selector as text, where ids of nodes (``numbers``) were written as numbers."""
    if isinstance(value, dict):
        return {key: selectors(item, numbers) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) > 1 and value[0] in numbers and isinstance(value[0], int) and isinstance(value[1], str):
        return [str(part) for part in value]
    return [selectors(item, numbers) for item in value]


def start_variables(data: dict[str, Any]) -> None:
    """Mend a start node's variables in place, so that the engine's strict reading accepts each of them.

    Absent labels, options that are not text, limits that are not numbers, kinds of file nobody knows.
    """
    for variable in data["variables"]:
        for key in ("label", "description"):
            if not isinstance(variable.get(key), str):
                variable[key] = ""
        variable["label"] = variable["label"] or variable["variable"]
        variable["required"] = bool(variable.get("required"))
        variable["hide"] = bool(variable.get("hide"))
        variable["options"] = words(variable.get("options"))
        if "max_length" in variable:
            variable["max_length"] = whole(variable["max_length"])
        if variable["type"] in FILE_TYPES:
            variable["allowed_file_types"] = _known(variable.get("allowed_file_types"), FILE_KINDS)
            variable["allowed_file_upload_methods"] = _known(variable.get("allowed_file_upload_methods"), FILE_METHODS)
            variable["allowed_file_extensions"] = words(variable.get("allowed_file_extensions"))


def _known(value: Any, names: tuple[str, ...]) -> list[str]:
    return [word for word in words(value) if word in names]


def typed_variable(item: Mapping[str, Any]) -> dict[str, Any]:
    """An environment or conversation variable with all its members.

    An empty value becomes its type's empty value.
    """
    value = item.get("value")
    kind = item.get("value_type")
    if not isinstance(kind, str) or not kind:
        kind = _type_of(value)
    if value is None or (value == "" and kind not in ("string", "secret")):
        value = [] if kind.startswith("array") else _EMPTY.get(kind, "")
    description = item.get("description")
    return {
        **item,
        "id": str(item.get("id") or item["name"]),
        "value_type": kind,
        "value": value,
        "description": description if isinstance(description, str) else "",
    }


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        kinds = {_type_of(item) for item in value}
        return (
            f"array[{kinds.pop()}]" if len(kinds) == 1 and kinds <= {"string", "number", "boolean"} else "array[object]"
        )
    return "string"
