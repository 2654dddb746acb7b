"""Turning the engine's events of iterations and loops into the API's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from graphon import engine_events as ev

from engine.definition.graph_names import GraphNames
from engine.events.jsonable import jsonable
from engine.events.moments import seconds, unix
from engine.events.payloads import Payloads
from engine.events.truncate import truncate


class ContainerEvents:
    """One per run; ``empty`` are the iterations over an empty list, which send nothing."""

    def __init__(self, payloads: Payloads, names: GraphNames) -> None:
        self._payloads, self._names = payloads, names
        self._empty: set[str] = set()

    def dumps(self) -> list[str]:
        """Return what `loads` takes."""
        return sorted(self._empty)

    def loads(self, saved: Iterable[str]) -> None:
        """Take up what the process that ran this before knew."""
        self._empty = set(saved)

    def events(self, event: ev.EngineEvent) -> Iterator[dict[str, Any]]:
        """Yield the payloads that an event stands for; none for events of anything else."""
        match event:
            case ev.NodeRunIterationStartedEvent() if event.metadata.get("iteration_length") == 0:
                self._empty.add(event.id)
            case ev.NodeRunIterationSucceededEvent() if event.id in self._empty:
                self._empty.discard(event.id)
            case ev.NodeRunIterationStartedEvent() | ev.NodeRunLoopStartedEvent():
                yield self._container_started(event)
            case ev.NodeRunIterationNextEvent():
                yield self._container(event, "next", index=event.index, created_at=unix(None), extras={})
            case ev.NodeRunLoopNextEvent():
                yield self._loop_next(event, event.index)
            case ev.NodeRunLoopSucceededEvent() if event.metadata.get("completed_reason") == "loop_completed":
                # The engine tells a round when the next one begins, so nobody has told the last one.
                if event.steps:
                    yield self._loop_next(event, event.steps)
                yield self._container_completed(event, "succeeded", None)
            case ev.NodeRunIterationSucceededEvent() | ev.NodeRunLoopSucceededEvent():
                yield self._container_completed(event, "succeeded", None)
            case ev.NodeRunIterationFailedEvent() | ev.NodeRunLoopFailedEvent():
                yield self._container_completed(event, "failed", event.error)

    def _container(self, event: Any, step: str, **members: Any) -> dict[str, Any]:
        kind = self._names.kind(event)
        head = {
            "id": event.node_id,
            "node_id": event.node_id,
            "node_type": kind,
            "title": self._names.title(event.node_id),
        }
        return self._payloads.workflow_event(f"{kind}_{step}", {**head, **members})

    def _loop_next(self, event: ev.NodeEvent, index: int) -> dict[str, Any]:
        return self._container(event, "next", index=index, created_at=unix(None), pre_loop_output={}, extras={})

    def _container_started(self, event: ev.NodeRunIterationStartedEvent | ev.NodeRunLoopStartedEvent) -> dict[str, Any]:
        inputs, inputs_cut = truncate(jsonable(event.inputs))
        return self._container(
            event,
            "started",
            created_at=unix(event.start_at),
            extras={},
            metadata=jsonable(event.metadata),
            inputs=inputs,
            inputs_truncated=inputs_cut,
        )

    def _container_completed(self, event: Any, status: str, error: str | None) -> dict[str, Any]:
        metadata = jsonable(event.metadata)
        inputs, inputs_cut = truncate(jsonable(event.inputs))
        outputs, outputs_cut = truncate(jsonable(event.outputs))
        return self._container(
            event,
            "completed",
            outputs=outputs,
            outputs_truncated=outputs_cut,
            created_at=unix(event.start_at),
            extras={},
            inputs=inputs,
            inputs_truncated=inputs_cut,
            status=status,
            error=error,
            elapsed_time=seconds(event.start_at, None),
            total_tokens=int(metadata.get("total_tokens") or 0),
            execution_metadata=metadata,
            finished_at=unix(None),
            steps=event.steps,
        )
