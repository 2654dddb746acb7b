"""Turning the engine's events into the API's events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from graphon import engine_events as ev

from engine.definition.graph_names import GraphNames
from engine.events.containers import ContainerEvents
from engine.events.failures import in_words
from engine.events.moderation import OutputCheck
from engine.events.moments import seconds, unix
from engine.events.node_payloads import agent_log, finished, retried, started
from engine.events.payloads import Payloads
from engine.events.text_filter import TakenBack
from engine.forms.told import told
from store.forms import Form

_CONTAINERS = ("iteration", "loop")
_SILENT = (*_CONTAINERS, "iteration-start", "loop-start")


class Mapper:
    """Holds what the events of one run need to know about each other: running numbers and open nodes."""

    def __init__(
        self,
        payloads: Payloads,
        graph: Mapping[str, Any],
        decided: Callable[[str], Form | None],
        said: Callable[[], str],
        check: OutputCheck | None = None,
        round_of: Callable[[str, str | None], int | None] = lambda execution_id, iteration_id: None,
    ) -> None:
        # The text told so far.
        self._said = said
        # The round of an iteration that an execution belongs to.
        self._round_of = round_of
        # The form of an execution that waited, once it is answered or out of time.
        self._decided = decided
        # How often a node that waits for a form was started again.
        self.repeats = 0
        self._payloads, self._check = payloads, check
        # Whether the author's answer took the place of what the graph says.
        self.replaced = False
        self._names = GraphNames(graph)
        self._containers = ContainerEvents(payloads, self._names)
        self._count = 0
        # Execution id → the members that all events of this execution share.
        self._open: dict[str, dict[str, Any]] = {}

    def dumps(self) -> dict[str, Any]:
        """Return what `loads` takes, as plain JSON values."""
        opened = [{**one, "began": one["began"].isoformat()} for one in self._open.values()]
        rest = {"empty": self._containers.dumps(), "replaced": self.replaced}
        return {"count": self._count, "repeats": self.repeats, "open": opened, **rest}

    def loads(self, saved: Mapping[str, Any]) -> None:
        """Take up the numbers and the open nodes of the process that ran this before."""
        self._count, self.repeats = saved["count"], saved["repeats"]
        self._containers.loads(saved["empty"])
        self.replaced = bool(saved.get("replaced"))
        for one in saved["open"]:
            self._open[one["id"]] = {**one, "began": datetime.fromisoformat(one["began"])}

    def events(self, event: ev.EngineEvent) -> Iterator[dict[str, Any]]:
        """Yield the payloads (none, for most internal events) that an engine event stands for."""
        match event:
            case ev.NodeRunStreamChunkEvent():
                if event.chunk and not self.replaced:
                    yield self._text(event)
            case TakenBack():
                if not self.replaced:
                    yield self._payloads.text_so_far(self._said()[: -event.length])
            case ev.NodeRunRetryEvent():
                yield self._retry(event)
            case ev.NodeRunStartedEvent():
                if self._names.kind(event) not in _SILENT:
                    yield from self._started(event)
            case ev.NodeRunSucceededEvent():
                yield from self._finished(event, "succeeded", None)
            case ev.NodeRunFailedEvent():
                yield from self._finished(event, "failed", in_words(event.error))
            case ev.NodeRunExceptionEvent():
                yield from self._finished(event, "exception", in_words(event.error))
            case ev.NodeRunAgentLogEvent():
                yield self._payloads.workflow_event("agent_log", agent_log(event))
            case _:
                yield from self._containers.events(event)

    def _text(self, event: ev.NodeRunStreamChunkEvent) -> dict[str, Any]:
        preset = self._check.replacement(event.chunk) if self._check else None
        if preset is None:
            return self._payloads.text(event.chunk, list(event.selector))
        self.replaced = True
        return self._payloads.replacement(preset, "output_moderation")

    def close_open(self, status: str, error: str | None) -> Iterator[dict[str, Any]]:
        """Yield a ``node_finished`` for each node that was still at work when the run was ended."""
        for shared in list(self._open.values()):
            yield self._finish(shared, status, error, unix(None), seconds(shared["began"], None))
        self._open.clear()

    def _started(self, event: ev.NodeRunStartedEvent) -> Iterator[dict[str, Any]]:
        shared = self._open.get(event.id)
        if shared is not None:
            # The engine runs a node that waited again. While it goes on waiting there is nothing new to tell.
            # The steps of a run are those of its graph; what is in a container is not counted.
            self.repeats += not event.container_id
            if form := self._decided(event.id):
                yield self._start(shared)
                yield self._payloads.workflow_event(*told(form))
            return
        self._count += 1
        scope = self._names.scope(event)
        shared = {
            "id": event.id,
            "node_id": event.node_id,
            "node_type": self._names.kind(event),
            "title": self._names.title(event.node_id),
            "index": self._count,
            "predecessor_node_id": None,
            "inputs": None,
            "created_at": unix(event.start_at),
            "began": event.start_at,
            **scope,
            "iteration_index": self._round_of(event.id, scope["iteration_id"]),
        }
        self._open[event.id] = shared
        yield self._start(shared)

    def _start(self, shared: dict[str, Any]) -> dict[str, Any]:
        return self._payloads.workflow_event("node_started", started(shared))

    def _finished(
        self,
        event: ev.NodeRunSucceededEvent | ev.NodeRunFailedEvent | ev.NodeRunExceptionEvent,
        status: str,
        error: str | None,
    ) -> Iterator[dict[str, Any]]:
        shared = self._open.pop(event.id, None)
        if shared is not None:
            elapsed = seconds(event.start_at, event.finished_at)
            yield self._finish(shared, status, error, unix(event.finished_at), elapsed)

    def _finish(
        self, shared: dict[str, Any], status: str, error: str | None, finished_at: int, elapsed: float
    ) -> dict[str, Any]:
        return self._payloads.workflow_event("node_finished", finished(shared, status, error, finished_at, elapsed))

    def _retry(self, event: ev.NodeRunRetryEvent) -> dict[str, Any]:
        shared = self._open.get(event.id, {"index": self._count, "created_at": unix(event.start_at)})
        return self._payloads.workflow_event("node_retry", retried(event, shared, self._names))
