"""Mending what a node does when it fails: attempts, strategy and default values.

The engine checks these of every node before a run begins, so that one bad value would fail a run that never comes by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition.typed_values import typed
from engine.inputs.variables import whole, word

_STRATEGIES = ("fail-branch", "default-value")
_BRANCHES = ("if-else", "question-classifier")
_CHECKED = ("string", "number", "object", "array[string]", "array[number]", "array[object]")
# Of this type the engine takes any value as it is.
_UNCHECKED = "array[file]"


def failures(name: str, data: dict[str, Any], warnings: list[str]) -> None:
    """Mend a node's data in place; what is left out is told in ``warnings``."""
    _attempts(data)
    strategy = data.get("error_strategy")
    if strategy not in _STRATEGIES:
        data.pop("error_strategy", None)
        if strategy and strategy != "none":
            warnings.append(
                f"The node '{name}' has an unknown error strategy, '{word(strategy)[:40]}'; it has none now."
            )
    elif strategy == "default-value" and data["type"] in _BRANCHES:
        # Which way to go is no value.
        del data["error_strategy"]
        warnings.append(f"The node '{name}' decides on a branch, so default values were left out.")
    given = data.pop("default_value", None)
    values = [value for one in given if (value := _value(name, one, warnings))] if isinstance(given, list) else []
    if values:
        data["default_value"] = values


def _attempts(data: dict[str, Any]) -> None:
    given = data.pop("retry_config", None)
    if isinstance(given, Mapping) and given.get("retry_enabled") not in (None, False, "false", ""):
        times, pause = whole(given.get("max_retries")) or 0, whole(given.get("retry_interval")) or 0
        data["retry_config"] = {**given, "retry_enabled": True, "max_retries": times, "retry_interval": pause}


def _value(name: str, one: Any, warnings: list[str]) -> dict[str, Any] | None:
    if not isinstance(one, Mapping) or not isinstance(one.get("key"), str):
        return None
    kind = word(one.get("type") or "string")
    try:
        value = typed(kind, one.get("value"))
    except ValueError as error:
        warnings.append(f"The default value '{one['key']}' of the node '{name}' was left out: {error}.")
        return None
    return {**one, "type": kind if kind in _CHECKED else _UNCHECKED, "value": value}
