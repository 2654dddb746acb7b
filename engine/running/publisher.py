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
        self._live, self._mapper, self._max_steps, self.steps = live, mapper, max_steps, steps
        self._kept, self._idle_round = kept, False

    def __call__(self, event: ev.EngineEvent) -> None:
        if self._live.ended.is_set():
            return
        if self._is_step(event):
            self.steps += 1
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

    def _is_step(self, event: ev.EngineEvent) -> bool:
        if isinstance(event, ev.NodeRunStartedEvent):
            self._idle_round = False
            return not isinstance(event, ev.NodeRunRetryEvent)
        if isinstance(event, ev.NodeRunLoopNextEvent | ev.NodeRunIterationNextEvent):
            idle, self._idle_round = self._idle_round, True
            return idle
        return False
