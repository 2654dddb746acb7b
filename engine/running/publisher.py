"""What the engine tells, on its way to the run's events."""

from __future__ import annotations

from graphon import engine_events as ev

from engine.events.easy_mapper import EasyMapper
from engine.events.mapper import Mapper
from engine.running.kept import Kept
from engine.running.live import LiveRun


class Publisher:
    """Sends what the engine tells, and counts the nodes it starts and the rounds in which it starts none."""

    def __init__(self, live: LiveRun, mapper: Mapper | EasyMapper, kept: Kept, max_steps: int, steps: int) -> None:
        self._live, self._mapper, self._max_steps, self._kept = live, mapper, max_steps, kept
        self._nodes, self._inside, self._rounds = steps, 0, 0

    def __call__(self, event: ev.EngineEvent) -> None:
        if self._live.ended.is_set():
            return
        self._count(event)
        if self.steps > self._max_steps:
            message = f"Aborted: Maximum execution steps exceeded: {self.steps} > {self._max_steps}"
            self._live.end("failed", message)
            return
        if self._kept.too_much(event):
            self._live.end("failed", self._kept.message, {})
            return
        if isinstance(event, ev.NodeRunRetrieverResourceEvent):
            self._live.citations.add(event.retriever_resources)
        self._live.emit(lambda: self._mapper.events(event))
        if isinstance(self._mapper, EasyMapper) and (answer := self._mapper.replaced()) is not None:
            self._live.end("succeeded", None, {"answer": answer, "files": []})

    @property
    def steps(self) -> int:
        """The nodes that were started, and the rounds of containers that cannot have started one.

        They are compared as a whole: rounds side by side begin before any of their nodes do.
        """
        return self._nodes + max(0, self._rounds - self._inside)

    def _count(self, event: ev.EngineEvent) -> None:
        if isinstance(event, ev.NodeRunLoopNextEvent | ev.NodeRunIterationNextEvent):
            self._rounds += 1
        elif isinstance(event, ev.NodeRunStartedEvent) and not isinstance(event, ev.NodeRunRetryEvent):
            self._nodes += 1
            self._inside += bool(event.container_id)
