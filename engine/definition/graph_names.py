"""What a graph's author called its nodes, and which container a node is in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphon import engine_events as ev


class GraphNames:
    """Looks nodes up by their ids."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self._nodes = {node["id"]: node["data"] for node in graph["nodes"]}

    def kind(self, event: ev.NodeEvent) -> str:
        """Return the type of an event's node, as the definition has it."""
        return str(self._nodes.get(event.node_id, {}).get("type", event.node_type))

    def title(self, node_id: str) -> str:
        """Return a node's title; empty for none."""
        return str(self._nodes.get(node_id, {}).get("title") or "")

    def scope(self, event: ev.EngineEvent) -> dict[str, str | None]:
        """Return the iteration or the loop that an event's node is in, as the members that say so."""
        owner = event.container_id
        kind = self._nodes.get(owner, {}).get("type") if owner else None
        return {
            "iteration_id": owner if kind == "iteration" else None,
            "loop_id": owner if kind == "loop" else None,
        }
