"""What a run has told since a moment of its log: what is open, and what its readers have to unlearn."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from store import events

_PAGE = 500
_CONTAINERS = ("iteration", "loop")


class Since:
    """Reads a run's log, within the caller's transaction. ``last`` is the number of its last event.

    ``nodes`` are the data of each ``node_started`` after ``seq`` (other than of executions ``known`` to go on)
    without its end, ``containers`` the events of iterations and loops that began after it and are not over;
    ``reopened`` are the first events of those that had begun before it and ended after it: they end again.
    ``spoke`` says whether text was told.
    """

    def __init__(self, run_id: str, seq: int, known: Collection[str]) -> None:
        self.last, self.spoke = 0, False
        self.nodes: dict[str, Mapping[str, Any]] = {}
        self.containers: dict[str, dict[str, Any]] = {}
        self.reopened: list[dict[str, Any]] = []
        self._before: dict[str, dict[str, Any]] = {}
        while batch := events.read(run_id, self.last, _PAGE):
            for number, payload in batch:
                self.last = number
                # Most events before the moment are not needed; parsing each would cost more than finding that out.
                if number > seq or payload.startswith(_CONTAINER_EVENTS):
                    self._take(json.loads(payload), number > seq, known)

    def _take(self, event: dict[str, Any], after: bool, known: Collection[str]) -> None:
        name, data = event["event"], event.get("data", {})
        kind, _, step = name.partition("_")
        if name in ("message", "text_chunk"):
            self.spoke = True
        elif name == "node_started" and data["id"] not in known:
            self.nodes[data["id"]] = data
        elif name == "node_finished":
            self.nodes.pop(data["id"], None)
        elif kind in _CONTAINERS and step == "started":
            (self.containers if after else self._before)[data["node_id"]] = event
        elif kind in _CONTAINERS and step == "completed" and not self.containers.pop(data["node_id"], None):
            began = self._before.pop(data["node_id"], None)
            if after and began is not None:
                self.reopened.append(began)


_CONTAINER_EVENTS = tuple(f'{{"event":"{kind}_{step}"' for kind in _CONTAINERS for step in ("started", "completed"))
