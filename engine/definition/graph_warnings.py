"""What an author should know of a graph that imports all the same: circles, and references to what is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
Edge = Mapping[str, Any]

_REFERENCE = re.compile(r"\{\{#([a-zA-Z0-9_]{1,50}(?:\.[a-zA-Z_][a-zA-Z0-9_]{0,29}){1,10})#\}\}")
_SYSTEM = (
    "query", "files", "conversation_id", "dialogue_count", "user_id", "app_id", "workflow_id", "workflow_run_id",
    "timestamp",
)  # fmt: skip
_BY_VARIABLE = ("input_type", "value_type", "type")


def circle(edges: Iterable[Edge]) -> list[str]:
    """Return warnings of a circle: the first node comes again as the last. A run of such a graph fails."""
    following: dict[str, list[str]] = {}
    for edge in edges:
        following.setdefault(edge["source"], []).append(edge["target"])
    # What leads nowhere is in no circle; taken away again and again, only circles and what leads to them is left.
    left = {name: len(targets) for name, targets in following.items()}
    sources: dict[str, list[str]] = {}
    for name, targets in following.items():
        for target in targets:
            sources.setdefault(target, []).append(name)
    dead = [name for name in sources if name not in left]
    while dead:
        for name in sources.get(dead.pop(), ()):
            left[name] -= 1
            if not left[name]:
                del left[name]
                dead.append(name)
    if not left:
        return []
    way = {next(iter(left)): None}
    while (following_one := next(one for one in following[next(reversed(way))] if one in left)) not in way:
        way[following_one] = None
    names = list(way)
    circle_names = [*names[names.index(following_one) :], following_one]
    shown = " → ".join(circle_names)
    return [f"The nodes {shown} form a circle: if the start leads there, every run fails."]


def unknown_references(document: Mapping[str, Any]) -> list[str]:
    """Return a warning for each node that refers to nodes or variables that the app does not have."""
    nodes = document["graph"]["nodes"]
    known: dict[str, set[str] | None] = {node["id"]: None for node in nodes}
    for node in nodes:
        if node["data"]["type"] == "start":
            known[node["id"]] = {one["variable"] for one in node["data"]["variables"]} | {"sys"}
    known["sys"] = set(_SYSTEM)
    known["env"] = {one["name"] for one in document["environment_variables"]}
    known["conversation"] = {one["name"] for one in document["conversation_variables"]}
    found = []
    for node in nodes:
        names = {name: None for name in _names(node["data"]) if not _has(known, name)}
        if names:
            listed = ", ".join(f"'{name}'" for name in names)
            found.append(f"The node '{node['id']}' refers to {listed}, which this app does not have.")
    return found


def _has(known: Mapping[str, set[str] | None], name: str) -> bool:
    first, _, rest = name.partition(".")
    inside = known.get(first, set())
    return inside is None or rest.partition(".")[0] in inside


def _names(value: Any, key: str = "") -> Iterator[str]:
    """Every variable that a node's data refers to, in texts and by selectors; what is switched off is not looked at."""
    if isinstance(value, str):
        yield from (found[1] for found in _REFERENCE.finditer(value))
    elif isinstance(value, Mapping):
        if value.get("enabled") is False:
            return
        by_variable = any(value.get(name) == "variable" for name in _BY_VARIABLE)
        for name, item in value.items():
            yield from _names(item, "selector" if name == "value" and by_variable else name)
    elif isinstance(value, list):
        if _is_selector(value) and (key.endswith("selector") or key in ("variable", "query", "file")):
            yield ".".join(value)
        elif key == "variables":
            for item in value:
                yield from _names(item, "selector" if isinstance(item, list) else "")
        else:
            for item in value:
                yield from _names(item)


def _is_selector(value: list[Any]) -> bool:
    return len(value) > 1 and all(isinstance(part, str) and part for part in value)
