"""Mending how nodes are joined: containers without a start node, and edges that lead nowhere."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from engine.definition.error import Problem
from engine.inputs.variables import word

Node = dict[str, Any]
Edge = dict[str, Any]

_SUCCESS, _FAILURE = "success-branch", "fail-branch"
_BRANCHES = ("if-else", "question-classifier", "human-input")
_DEEPEST = 20
_CONTAINERS = {"iteration": ("iteration_id", "isInIteration"), "loop": ("loop_id", "isInLoop")}


def containers(nodes: list[Node], edges: list[Edge], warnings: list[str]) -> None:
    """Give every iteration and loop the start node that newer exports have.

    Adds nodes and edges in place.
    """
    by_id = {node["id"]: node for node in nodes}
    _check_depth(nodes)
    owned = {key: _children(nodes, key) for key, _ in _CONTAINERS.values()}
    targets: dict[str, set[str]] = {}
    for edge in edges:
        targets.setdefault(edge["source"], set()).add(edge["target"])
    for node in list(nodes):
        kind = node["data"]["type"]
        if kind not in _CONTAINERS:
            continue
        owner_key, flag = _CONTAINERS[kind]
        children = owned[owner_key].get(node["id"], {})
        first = children.get(str(node["data"].get("start_node_id")))
        if first is None:
            first = _first_child(children, targets, f"{kind}-start")
        if first is None:
            continue
        if first["data"]["type"] != f"{kind}-start":
            start = {
                "id": _free(node["id"] + "start", by_id),
                "type": f"custom-{kind}-start",
                "parentId": node["id"],
                "data": {"type": f"{kind}-start", "title": "", owner_key: node["id"], flag: True},
            }
            nodes.append(start)
            by_id[start["id"]] = start
            data = {
                "sourceType": f"{kind}-start",
                "targetType": first["data"]["type"],
                owner_key: node["id"],
                flag: True,
            }
            edges.append({"source": start["id"], "target": first["id"], "sourceHandle": "source", "data": data})
            warnings.append(f"The {kind} '{node['id']}' had no start node; one was added.")
            first = start
        node["data"]["start_node_id"] = first["id"]


def _children(nodes: list[Node], owner_key: str) -> dict[str, dict[str, Node]]:
    """The nodes in each container, by its id and theirs. In: where their data may name it, beside ``parentId``."""
    found: dict[str, dict[str, Node]] = {}
    for node in nodes:
        for owner in (node.get("parentId"), node["data"].get(owner_key)):
            if isinstance(owner, str):
                found.setdefault(owner, {})[node["id"]] = node
    return found


def _check_depth(nodes: list[Node]) -> None:
    """Each level has variables of its own beside those of the levels around it. Raises Problem."""
    owners = {}
    for node in nodes:
        named = (node.get("parentId"), *(node["data"].get(key) for key, _ in _CONTAINERS.values()))
        owners[node["id"]] = next((str(owner) for owner in named if owner), "")
    for node in nodes:
        around, inside = {node["id"]}, owners[node["id"]]
        while inside and inside not in around and len(around) <= _DEEPEST + 1:
            around.add(inside)
            inside = owners.get(inside, "")
        if len(around) > _DEEPEST + 1:
            raise Problem(f"Containers are nested more than {_DEEPEST} levels deep", "workflow", "graph", "nodes")


def _first_child(children: Mapping[str, Node], targets: Mapping[str, set[str]], start_type: str) -> Node | None:
    for child in children.values():
        if child["data"]["type"] == start_type:
            return child
    reached = {target for name in children for target in targets.get(name, ())}
    return next((child for name, child in children.items() if name not in reached), None)


def tidy_edges(edges: list[Any], data: Mapping[str, Mapping[str, Any]], warnings: list[str]) -> list[Edge]:
    """The edges that join two nodes that are there, each once, with a handle and an id of its own.

    In: the nodes' data by their ids.
    """
    kept: list[Edge] = []
    seen: set[tuple[str, str, str]] = set()
    names: set[str] = set()
    numbers: dict[str, int] = {}
    for index, edge in enumerate(edges):
        if not isinstance(edge, dict) or edge.get("source") is None or edge.get("target") is None:
            warnings.append(f"workflow.graph.edges[{index}] names no source and target; it was left out.")
            continue
        edge = {**edge, "source": str(edge["source"]), "target": str(edge["target"])}
        missing = [end for end in (edge["source"], edge["target"]) if end not in data]
        if missing:
            warnings.append(
                f"workflow.graph.edges[{index}] refers to the missing node '{missing[0]}'; it was left out."
            )
            continue
        handle = edge.get("sourceHandle")
        edge["sourceHandle"] = "source" if handle is None else word(handle)
        source = data[edge["source"]]
        if source["type"] not in _BRANCHES:
            if edge["sourceHandle"] == _SUCCESS:
                edge["sourceHandle"] = "source"  # another name for the way of a node that may fail and did not
            elif edge["sourceHandle"] == _FAILURE and source.get("error_strategy") != _FAILURE:
                # It would be taken when nothing failed.
                warnings.append(
                    f"workflow.graph.edges[{index}] is the fail branch of '{edge['source']}', which has none any more; "
                    "it was left out."
                )
                continue
        join = (edge["source"], edge["sourceHandle"], edge["target"])
        if join in seen:
            continue
        seen.add(join)
        name = edge.get("id")
        edge["id"] = _free(str(name) if name else "-".join(join), names, numbers)
        names.add(edge["id"])
        kept.append(edge)
    return kept


def _free(name: str, taken: Container[str], numbers: dict[str, int] | None = None) -> str:
    """The name, with a number if it is taken. ``numbers`` are the last ones given: to try all of them again for each of
    thousands of equal names would take quadratic time.
    """
    candidate, number = name, (numbers or {}).get(name, 2)
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    if numbers is not None:
        numbers[name] = number
    return candidate
