"""Which node is in which container, and edges that lead from one into another: no run could follow them."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]
Edge = dict[str, Any]

_OWNERS = ("iteration_id", "loop_id")
# What holds others; a type that is not known here may do so too.
_HOLDERS = ("iteration", "loop")


def settle(nodes: list[Node], known: set[str], warnings: list[str]) -> None:
    """Take nodes, in place, out of containers that are none. ``known`` are the types that are known here."""
    by_id = {node["id"]: node for node in nodes}
    for node in nodes:
        node["data"].pop("container_id", None)  # the engine's own, which it makes of the others
        for place, key in ((node, "parentId"), *((node["data"], key) for key in _OWNERS)):
            owner = place.get(key)
            if owner in (None, ""):
                continue
            place[key] = owner = str(owner)
            if not _holds(by_id.get(owner), known):
                del place[key]
                if key == "parentId" or "parentId" not in node:
                    told = f"The node '{node['id']}' is in '{owner}', which is no container; it was taken out."
                    warnings.append(told)
    for node in _inside_themselves(nodes, by_id):
        for place, key in ((node, "parentId"), *((node["data"], key) for key in _OWNERS)):
            place.pop(key, None)
        warnings.append(f"The container '{node['id']}' is inside itself; it was taken out.")


def _holds(owner: Node | None, known: set[str]) -> bool:
    kind = owner["data"]["type"] if owner is not None else ""
    return bool(kind) and (kind in _HOLDERS or kind not in known)


def _inside_themselves(nodes: list[Node], by_id: dict[str, Node]) -> list[Node]:
    """The first container, in the order of the nodes, of each circle of containers.

    Every node is walked over once, however deep they are nested.
    """
    seen: set[str] = set()
    first: set[str] = set()
    places = {node["id"]: place for place, node in enumerate(nodes)}
    for node in nodes:
        way: dict[str, None] = {}
        name: str | None = node["id"]
        while name and name not in seen and name not in way:
            way[name] = None
            name = owner_of(by_id[name])
        if name in way:
            names = list(way)
            first.add(min(names[names.index(str(name)) :], key=lambda one: places[one]))
        seen.update(way)
    return [node for node in nodes if node["id"] in first]


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
