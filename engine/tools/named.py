"""Which tools an app's definition names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Named(NamedTuple):
    """A tool as a definition names it."""

    provider_id: str
    provider_name: str
    tool_name: str

    @property
    def provider(self) -> str:
        """What people call the provider."""
        return self.provider_name or self.provider_id


def tools_of(document: Mapping[str, Any]) -> list[Named]:
    """Return the tools of a stored definition's nodes and agents, each once; those switched off are left out."""
    return list(dict.fromkeys(_named(one) for one in _listed(document) if one.get("tool_name")))


def _listed(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from _switched_on(_at(document, "model_config", "agent_mode", "tools"))
    nodes = _at(document, "graph", "nodes")
    for node in nodes if isinstance(nodes, list) else ():
        data = _at(node, "data") or {}
        if data.get("type") == "tool":
            yield data
        elif data.get("type") == "agent":
            yield from _switched_on(_at(data, "agent_parameters", "tools", "value"))


def _switched_on(tools: Any) -> Iterator[Mapping[str, Any]]:
    for one in tools if isinstance(tools, list) else ():
        if isinstance(one, Mapping) and one.get("enabled") is not False:
            yield one


def _named(one: Mapping[str, Any]) -> Named:
    return Named(str(one.get("provider_id") or ""), str(one.get("provider_name") or ""), str(one["tool_name"]))


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
