"""Mending the quirks of exported nodes, so that the engine meets one shape only.

Exports of five years differ: parts that are null or absent, tool parameters in two places, numbers where text is meant.
Each function mends one of these and tells what it did in ``warnings``. Layout keys are kept and not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from engine.definition.adapt_conditions import cases, comparisons, end_of_loop
from engine.definition.adapt_failures import failures
from engine.definition.adapt_http import request
from engine.definition.adapt_tools import tool_parameters
from engine.definition.typed_values import KINDS, empty, kind_of, typed

Node = dict[str, Any]

_AGGREGATOR: dict[str, Any] = {"output_type": "any", "variables": []}
# What a node of a type has where an export says nothing or null.
_ABSENT: dict[str, dict[str, Any]] = {
    "answer": {"answer": ""},
    "code": {"variables": [], "outputs": {}},
    "end": {"outputs": []},
    "llm": {"context": {"enabled": False, "variable_selector": []}},
    "template-transform": {"variables": [], "template": ""},
    "variable-aggregator": _AGGREGATOR,
    "variable-assigner": _AGGREGATOR,
}
_OUTPUT_TYPES = (
    "string", "number", "integer", "secret", "boolean", "object", "file", "array", "any", "array[string]",
    "array[number]", "array[object]", "array[boolean]", "array[file]", "array[any]",
)  # fmt: skip


def node_data(node: Node, warnings: list[str]) -> None:
    """Mend one node's ``data`` in place. What an author would look for in vain is told in ``warnings``."""
    data, kind = node["data"], node["data"]["type"]
    for key in [key for key, value in data.items() if value is None]:
        del data[key]
    for key in ("title", "desc", "version"):
        if key in data and not isinstance(data[key], str):
            data[key] = str(data[key])
    for key, value in _ABSENT.get(kind, {}).items():
        data[key] = data.get(key) or deepcopy(value)
    failures(node["id"], data, warnings)
    match kind:
        case "tool":
            tool_parameters(node["id"], data, warnings)
        case "if-else":
            cases(node["id"], data, warnings)
        case "loop":
            end_of_loop(data)
        case "list-operator":
            comparisons(data)
        case "http-request":
            request(node["id"], data, warnings)
        case "end":
            _outputs(data)
        case "variable-aggregator" | "variable-assigner":
            _groups(data)


def _outputs(data: dict[str, Any]) -> None:
    """The type of an output is for the editor: one that nobody knows must not fail the node."""
    for one in data["outputs"] if isinstance(data["outputs"], list) else []:
        if isinstance(one, dict) and one.get("value_type", "any") not in _OUTPUT_TYPES:
            one["value_type"] = "any"


def _groups(data: dict[str, Any]) -> None:
    settings = data.get("advanced_settings")
    if not isinstance(settings, Mapping):
        data.pop("advanced_settings", None)
        return
    groups: list[Any] = settings["groups"] if isinstance(settings.get("groups"), list) else []
    # The type of a group is for the editor too, and the engine knows fewer of them.
    known = [{**group, "output_type": "array[any]"} if isinstance(group, Mapping) else group for group in groups]
    data["advanced_settings"] = {**settings, "group_enabled": settings.get("group_enabled") is True, "groups": known}


def selectors(value: Any, numbers: set[int]) -> Any:
    """The value with each selector as text, where ids of nodes (``numbers``) were written as numbers."""
    if isinstance(value, dict):
        return {key: selectors(item, numbers) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) > 1 and type(value[0]) is int and value[0] in numbers and isinstance(value[1], str):
        return [str(part) for part in value]
    return [selectors(item, numbers) for item in value]


def typed_variable(item: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """An environment or conversation variable with all its members, its value as its type."""
    kind, value = item.get("value_type"), item.get("value")
    if not isinstance(kind, str) or kind not in KINDS:
        kind = "array[any]" if kind == "array" else kind_of(value)
    try:
        value = typed(kind, value)
    except ValueError as error:
        warnings.append(f"The variable '{item['name']}' of type {kind} is empty at first: {error}.")
        value = empty(kind)
    description = item.get("description")
    return {
        **{name: one for name, one in item.items() if name != "sealed"},  # the store's own, of a secret one
        "id": str(item.get("id") or item["name"]),
        "value_type": kind,
        "value": value,
        "description": description if isinstance(description, str) else "",
    }
