"""What the nodes of a run have put out and later ones may read: together it has a limit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from graphon import engine_events as ev

from engine.running.weight import weight


class Kept:
    """Of one run; ``most`` is in characters, ``iterations`` are the ids of its iterations, ``pool`` what it begins
    with, ``told`` is told how many characters more, or less, there are. A node's values take the place of those of its
    last execution, but in an iteration, which gathers them.
    """

    def __init__(
        self,
        most: int,
        iterations: Collection[str],
        pool: Mapping[str, Any],
        told: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._told = told
        self._most, self._iterations = most, iterations
        self._weights: dict[tuple[str, str], int] = {}
        self._total = 0
        for name, values in pool.items():
            self._put((name, ""), values)

    @property
    def message(self) -> str:
        """Why a run ends that keeps more."""
        return f"Aborted: Maximum output size exceeded: the run's values hold more than {self._most} characters"

    def too_much(self, event: ev.EngineEvent) -> bool:
        """Take note of what an event brings; True when it is more than a run may keep."""
        match event:
            case ev.NodeRunSucceededEvent() | ev.NodeRunExceptionEvent():
                execution = event.id if event.container_id in self._iterations else ""
                self._put((event.node_id, execution), event.node_run_result.outputs)
            case ev.NodeRunVariableUpdatedEvent():
                self._put((".".join(event.variable.selector), "variable"), event.variable.value)
            case _:
                return False
        return self._total > self._most

    def _put(self, key: tuple[str, str], value: Any) -> None:
        now = weight(value, self._most)
        more = now - self._weights.get(key, 0)
        self._total += more
        self._weights[key] = now
        self._told(more)
