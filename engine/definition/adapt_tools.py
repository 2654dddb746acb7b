"""Mending tool nodes: their parameters have stood in two places, and in two forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROVIDER_TYPES = ("builtin", "plugin", "api", "workflow", "app", "dataset-retrieval", "mcp")
_INPUT_KINDS = ("mixed", "variable", "constant")


def tool_parameters(node: str, data: dict[str, Any], warnings: list[str]) -> None:
    """Mend a tool node in place.

    Older exports keep parameters as ``{type, value}`` among the configurations, or as bare values.
    """
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
