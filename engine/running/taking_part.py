"""The part of a definition's graph that a run can come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_INSIDE = ("iteration-start", "loop-start")


def start_of(nodes: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the id of the node that runs begin at, if there is one."""
    return next((node["id"] for node in nodes if node["data"].get("type") == "start"), None)


def graph_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nodes that take part and the edges between them.

    Left out are the edges of nodes that no run comes to, a forgotten one or a trigger: the node behind would wait for
    them for good.
    """
    graph = document["graph"]
    nodes = [node for node in graph["nodes"] if (node.get("data") or {}).get("type")]
    ids = {node["id"] for node in nodes}
    edges = [edge for edge in graph.get("edges") or [] if edge["source"] in ids and edge["target"] in ids]
    beginnings = [node["id"] for node in nodes if node["data"]["type"] in _INSIDE]
    reached = _reached([start_of(nodes), *beginnings], edges)
    return {"nodes": nodes, "edges": [edge for edge in edges if edge["source"] in reached]}


def _reached(beginnings: Sequence[str | None], edges: Sequence[Mapping[str, Any]]) -> set[str | None]:
    following: dict[str | None, list[str]] = {}
    for edge in edges:
        following.setdefault(edge["source"], []).append(edge["target"])
    waiting, reached = list(beginnings), set[str | None]()
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += following.get(name, [])
    return reached
