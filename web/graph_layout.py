"""A small layered layout (Sugiyama, Tagawa, Toda 1981) of a directed graph, top to bottom.

Four steps: leave out edges that go back; give each node a layer below all its predecessors; order each layer
so that few edges cross; move nodes over the middle of their neighbours. An edge over several layers gets a
bend in each, so that it passes between the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Edge = tuple[str, str]
Point = tuple[float, float]
GAP_X, GAP_Y, BEND = 28.0, 34.0, 12.0
SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Layout:
    """Top left corners of the nodes, the points of each drawn edge from top to bottom, and the whole size."""

    corners: dict[str, Point]
    routes: dict[Edge, list[Point]]
    width: float
    height: float


def layout(nodes: Sequence[str], edges: Sequence[Edge], sizes: Mapping[str, Point]) -> Layout:
    """Place ``nodes`` (in the order wanted where nothing else decides). ``sizes`` are (width, height); edges
    between other nodes, from a node to itself, or closing a circle are not drawn.
    """
    known = set(nodes)
    forward, order = _forward(nodes, [edge for edge in dict.fromkeys(edges) if known.issuperset(edge)])
    level = _levels(order, forward)
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for node in order:
        rows[level[node]].append(node)
    size, bends = dict(sizes), {}
    links: list[Edge] = []
    for source, target in forward:
        chain = [source]
        for between in range(level[source] + 1, level[target]):
            bend = f"\0{source}\0{target}\0{between}"
            size[bend] = (BEND, 0.0)
            rows[between].append(bend)
            chain.append(bend)
        bends[source, target] = chain[1:]
        links += zip(chain, [*chain[1:], target], strict=True)
    _untangle(rows, links)
    middle = _spread(rows, links, size)
    return _measured(rows, middle, size, bends)


def _forward(nodes: Sequence[str], edges: Sequence[Edge]) -> tuple[list[Edge], list[str]]:
    """The edges without those that close a circle, and the nodes in an order that these agree with."""
    out: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        out[source].append(target)
    targets = {target for _, target in edges}
    closed: set[str] = set()
    trail: set[str] = set()
    kept: list[Edge] = []
    finished: list[str] = []
    for root in [*(node for node in nodes if node not in targets), *nodes]:
        if root in closed:
            continue
        stack: list[tuple[str, Iterator[str]]] = [(root, iter(reversed(out[root])))]
        closed.add(root)
        trail.add(root)
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                trail.discard(node)
                finished.append(node)
            elif following not in trail:
                kept.append((node, following))
                if following not in closed:
                    closed.add(following)
                    trail.add(following)
                    stack.append((following, iter(reversed(out[following]))))
    return kept, finished[::-1]


def _levels(order: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    level = dict.fromkeys(order, 0)
    into = _neighbours(edges, 1, 0)
    for node in order:
        level[node] = max((level[before] + 1 for before in into.get(node, ())), default=0)
    return level


def _neighbours(edges: Sequence[Edge], of: int, other: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        found.setdefault(edge[of], []).append(edge[other])
    return found


def _untangle(rows: list[list[str]], links: Sequence[Edge]) -> None:
    """Sort each row by the mean place of its neighbours, downwards and upwards in turn."""
    above, below = _neighbours(links, 1, 0), _neighbours(links, 0, 1)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = above if down else below
        for row in rows if down else rows[::-1]:
            place = {node: at for one in rows for at, node in enumerate(one)}
            row.sort(key=lambda node, p=place: _mean([p[o] for o in near.get(node, ())], p[node]))  # type: ignore[misc]


def _spread(rows: list[list[str]], links: Sequence[Edge], size: Mapping[str, Point]) -> dict[str, float]:
    """The middle of each node, as near to the mean of its neighbours as the gaps allow."""
    above, below = _neighbours(links, 1, 0), _neighbours(links, 0, 1)
    middle: dict[str, float] = {}
    for sweep in range(SWEEPS + 1):
        down = sweep % 2 == 0
        near = above if down else below
        for row in rows if down else rows[::-1]:
            wanted = [_mean([middle[o] for o in near.get(n, ()) if o in middle], middle.get(n, 0.0)) for n in row]
            edge, placed = float("-inf"), []
            for node, wish in zip(row, wanted, strict=True):
                half = size[node][0] / 2
                placed.append(max(wish, edge + half))
                edge = placed[-1] + half + GAP_X
            shift = _mean([wish - got for wish, got in zip(wanted, placed, strict=True)], 0.0)
            middle.update({node: got + shift for node, got in zip(row, placed, strict=True)})
    return middle


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _measured(
    rows: list[list[str]],
    middle: Mapping[str, float],
    size: Mapping[str, Point],
    bends: Mapping[Edge, list[str]],
) -> Layout:
    left = min((middle[node] - size[node][0] / 2 for row in rows for node in row), default=0.0)
    right = max((middle[node] + size[node][0] / 2 for row in rows for node in row), default=0.0)
    corners: dict[str, Point] = {}
    ends: dict[str, tuple[Point, Point]] = {}
    y = 0.0
    for row in rows:
        tall = max(size[node][1] for node in row)
        for node in row:
            x, height = middle[node] - left, size[node][1] or tall
            top = y + (tall - height) / 2
            ends[node] = ((x, top), (x, top + height))
            if not node.startswith("\0"):
                corners[node] = (x - size[node][0] / 2, top)
        y += tall + GAP_Y
    routes = {}
    for (source, target), between in bends.items():
        passed = [point for bend in between for point in ends[bend]]
        routes[source, target] = [ends[source][1], *passed, ends[target][0]]
    return Layout(corners, routes, right - left, max(y - GAP_Y, 0.0))
