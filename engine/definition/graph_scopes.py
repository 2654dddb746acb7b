"""Which node is in which container, and edges that lead from one into another: no run could follow them."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]
Edge = dict[str, Any]

_OWNERS = ("iteration_id", "loop_id")
# What can hold no others; of a type that is not known here it can be anything.
_HOLDERS = ("iteration", "loop")


def settle(nodes: list[Node], known: set[str], warnings: list[str]) -> None:
    """Take nodes, in place, out of containers that are none. ``known`` are the types that are known here."""
    kinds = {node["id"]: node["data"]["type"] for node in nodes}
    for node in nodes:
        for place, key in ((node, "parentId"), *((node["data"], key) for key in _OWNERS)):
            owner = place.get(key)
            if owner in (None, ""):
                continue
            place[key] = owner = str(owner)
            if owner != node["id"] and (kinds.get(owner) in _HOLDERS or kinds.get(owner, "start") not in known):
                continue
            del place[key]
            if key == "parentId" or "parentId" not in node:
                warnings.append(f"The node '{node['id']}' is in '{owner}', which is no container; it was taken out.")


def within(edges: list[Edge], nodes: list[Node], warnings: list[str]) -> list[Edge]:
    """Return the edges whose ends are in the same container; the others are told."""
    owners = {node["id"]: owner_of(node) for node in nodes}
    kept = []
    for edge in edges:
        source, target = owners[edge["source"]], owners[edge["target"]]
        if source == target or None in (source, target):
            kept.append(edge)
            continue
        way = f"out of '{source}'" if source else f"into '{target}'"
        warnings.append(
            f"The edge from '{edge['source']}' to '{edge['target']}' leads {way}, past the container; it was left out."
        )
    return kept


def owner_of(node: Node) -> str | None:
    """Return the container that a node is in, empty for none; None where old exports do not say which of two."""
    named = (
        [node["parentId"]] if node.get("parentId") else [node["data"][key] for key in _OWNERS if key in node["data"]]
    )
    owners = list(dict.fromkeys(filter(None, named)))
    return None if len(owners) > 1 else owners[0] if owners else ""
