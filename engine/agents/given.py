"""The tools an app gives its agent, from the two shapes in which definitions list them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.agents.agent import Given
from engine.agents.steps import ToolMissing
from engine.tools.registry import Toolbox, missing


def given_tools(box: Toolbox, listed: Iterable[Mapping[str, Any]]) -> list[Given]:
    """Return the tools that are switched on. Raises ToolMissing for one that is not here.

    An item has ``tool_name``, ``provider_id`` or ``provider_name``, and the author's arguments under
    ``tool_parameters`` (chat apps) or ``parameters`` and ``settings`` (agent nodes).
    """
    found: list[Given] = []
    for one in listed:
        if one.get("enabled") is False or not one.get("tool_name"):
            continue
        provider_id, provider_name = str(one.get("provider_id") or ""), str(one.get("provider_name") or "")
        tool = box.find(provider_id, provider_name, str(one["tool_name"]))
        if tool is None:
            raise ToolMissing(missing(provider_name or provider_id, str(one["tool_name"])))
        arguments: dict[str, Any] = {}
        for source in ("tool_parameters", "settings", "parameters"):
            arguments |= {name: value for name, value in _plain(one.get(source)) if value not in (None, "")}
        extra = one.get("extra")
        description = extra.get("description") if isinstance(extra, Mapping) else ""
        name = _free(tool.name, {other.name for other in found})
        found.append(Given(name, tool, arguments, str(description or "")))
    return found


def _plain(parameters: Any) -> list[tuple[str, Any]]:
    """The author's values; newer exports wrap each in ``{value: {type, value}}``, with ``auto`` for the model's."""
    pairs = []
    for name, value in parameters.items() if isinstance(parameters, Mapping) else ():
        if isinstance(value, Mapping) and ("auto" in value or "value" in value):
            if value.get("auto"):
                continue
            value = value.get("value")
            if isinstance(value, Mapping) and "value" in value:
                value = value["value"]
        pairs.append((str(name), value))
    return pairs


def _free(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
