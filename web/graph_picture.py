"""The graph of an app as shapes to draw: boxes, some of them with boxes inside, and arrows between them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from web.graph_layout import Edge, Point, layout

WIDTH, HEIGHT = 172.0, 48.0
INSIDE, HEAD = 14.0, 34.0  # between a container and what is in it; for its title
TITLE, LABEL = 17, 14  # columns of text that fit
MOST = 400  # nodes; a larger graph gets no picture


@dataclass(frozen=True, slots=True)
class Box:
    """One node at its place; ``short`` is its title as far as it fits, ``parent`` the container it stands in."""

    id: str
    title: str
    short: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    container: bool = False
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """One edge, from top to bottom; ``label`` tells which branch it is."""

    source: str
    target: str
    points: tuple[Point, ...]
    label: str

    @property
    def path(self) -> str:
        """The edge as an SVG path, smooth at its bends."""
        path = "M{:.1f} {:.1f}".format(*self.points[0])
        for (x0, y0), (x1, y1) in pairwise(self.points):
            half = (y0 + y1) / 2
            path += f"C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} {y1:.1f}"
        return path

    @property
    def middle(self) -> Point:
        """Where the label goes: beyond the middle of the first stretch, where branches have drawn apart."""
        (x0, y0), (x1, y1) = self.points[:2]
        return x0 + (x1 - x0) * 0.7, y0 + (y1 - y0) * 0.62


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything to draw, containers before what is in them."""

    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)


def picture(document: Mapping[str, Any]) -> Picture | None:
    """The picture of a normalised document; None where there is no graph, or one too large to be seen."""
    graph = document.get("graph") or {}
    nodes = {node["id"]: node for node in graph.get("nodes", ())}
    if not nodes or len(nodes) > MOST:
        return None
    edges: dict[Edge, str] = {}
    for edge in graph.get("edges", ()):
        pair = str(edge.get("source")), str(edge.get("target"))
        edges.setdefault(pair, _branch(nodes.get(pair[0]), str(edge.get("sourceHandle") or "")))
    inside: dict[str | None, list[str]] = {}
    for name, node in nodes.items():
        parent = node.get("parentId")
        # The small start node of a container is never told of in events.
        if parent is None or not node["data"]["type"].endswith("-start"):
            inside.setdefault(parent if parent in nodes and parent != name else None, []).append(name)
    return _draw(None, nodes, inside, edges, frozenset())


def _draw(
    parent: str | None,
    nodes: Mapping[str, Any],
    inside: Mapping[str | None, list[str]],
    edges: Mapping[Edge, str],
    around: frozenset[str | None],
) -> Picture:
    names = sorted(inside.get(parent, ()), key=lambda name: _position(nodes[name]))
    around = around | {parent}
    parts = {name: _draw(name, nodes, inside, edges, around) for name in names if name in inside and name not in around}
    sizes = {name: _size(parts.get(name)) for name in names}
    placed = layout(names, list(edges), sizes)
    boxes, arrows = [], [Arrow(*edge, tuple(route), edges[edge]) for edge, route in placed.routes.items()]
    for name in names:
        x, y = placed.corners[name]
        data = nodes[name]["data"]
        title = str(data.get("title") or data["type"])
        columns = int(TITLE * sizes[name][0] / WIDTH)
        width, height = sizes[name]
        boxes.append(
            Box(
                name,
                title,
                short(title, columns),
                data["type"],
                x,
                y,
                width,
                height,
                container=name in parts,
                parent=parent or "",
            )
        )
        if name in parts:
            part = parts[name]
            boxes += [replace(box, x=box.x + x + INSIDE, y=box.y + y + HEAD) for box in part.boxes]
            for arrow in part.arrows:
                points = tuple((px + x + INSIDE, py + y + HEAD) for px, py in arrow.points)
                arrows.append(replace(arrow, points=points))
    return Picture(placed.width, placed.height, boxes, arrows)


def short(text: str, columns: int) -> str:
    """As much of a text as fits; wide letters (UAX #11) take two columns."""
    kept, used = "", 0
    for letter in text:
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > columns:
            return kept[:-1] + "…"
        kept += letter
    return kept


def _size(part: Picture | None) -> Point:
    return (WIDTH, HEIGHT) if part is None else (max(part.width + 2 * INSIDE, WIDTH), part.height + HEAD + INSIDE)


def _position(node: Mapping[str, Any]) -> tuple[float, float]:
    """Where the author put it, from top to bottom: what stands above goes to the left here."""
    at = node.get("position")
    at = at if isinstance(at, Mapping) else {}
    y, x = (at.get(axis) for axis in ("y", "x"))
    return (float(y) if isinstance(y, int | float) else 0.0, float(x) if isinstance(x, int | float) else 0.0)


def _branch(node: Mapping[str, Any] | None, handle: str) -> str:
    """What a branch is called: by its case, its class, or its action."""
    data = (node or {}).get("data", {})
    kind = data.get("type")
    if handle in ("fail-branch", "success-branch"):
        return "on error" if handle == "fail-branch" else ""
    if kind == "if-else":
        cases = [str(case.get("case_id") or case.get("id")) for case in _dicts(data.get("cases"))]
        if handle == "false" or not cases:
            return "else" if handle == "false" else "if"
        return ("if" if cases.index(handle) == 0 else f"or {cases.index(handle) + 1}") if handle in cases else ""
    if kind == "question-classifier":
        named = {str(one.get("id")): str(one.get("name") or "") for one in _dicts(data.get("classes"))}
        return short(named.get(handle, ""), LABEL)
    if kind == "human-input":
        named = {str(one.get("id")): str(one.get("title") or one.get("id")) for one in _dicts(data.get("user_actions"))}
        return short(named.get(handle, "too late" if handle == "__timeout" else ""), LABEL)
    return ""


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
