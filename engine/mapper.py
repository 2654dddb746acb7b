"""Turning the engine's events into the API's events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from graphon import engine_events as ev

from engine.failures import in_words
from engine.form_told import told
from engine.jsonable import jsonable
from engine.moderation import OutputCheck
from engine.payloads import Payloads
from engine.text_filter import TakenBack
from engine.truncate import truncate
from store.forms import Form

_CONTAINERS = ("iteration", "loop")
_SCOPE = ("iteration_id", "iteration_index", "loop_id")
_SILENT = (*_CONTAINERS, "iteration-start", "loop-start")


def unix(moment: datetime | None) -> int:
    """Return Unix seconds; the engine's times are UTC without saying so. None means now."""
    if moment is None:
        return int(datetime.now(UTC).timestamp())
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


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
        self._nodes = {node["id"]: node["data"] for node in graph["nodes"]}
        self._count = 0
        # Execution id → the members that all events of this execution share.
        self._open: dict[str, dict[str, Any]] = {}
        # Iterations over an empty list, which send nothing.
        self._empty: set[str] = set()

    def dumps(self) -> dict[str, Any]:
        """Return what `loads` takes, as plain JSON values."""
        opened = [{**one, "began": one["began"].isoformat()} for one in self._open.values()]
        rest = {"empty": sorted(self._empty), "replaced": self.replaced}
        return {"count": self._count, "repeats": self.repeats, "open": opened, **rest}

    def loads(self, saved: Mapping[str, Any]) -> None:
        """Take up the numbers and the open nodes of the process that ran this before."""
        self._count, self.repeats, self._empty = saved["count"], saved["repeats"], set(saved["empty"])
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
                if self._kind(event) not in _SILENT:
                    yield from self._started(event)
            case ev.NodeRunSucceededEvent():
                yield from self._finished(event, "succeeded", None)
            case ev.NodeRunFailedEvent():
                yield from self._finished(event, "failed", in_words(event.error))
            case ev.NodeRunExceptionEvent():
                yield from self._finished(event, "exception", in_words(event.error))
            case ev.NodeRunAgentLogEvent():
                yield self._agent_log(event)
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

    def _text(self, event: ev.NodeRunStreamChunkEvent) -> dict[str, Any]:
        preset = self._check.replacement(event.chunk) if self._check else None
        if preset is None:
            return self._payloads.text(event.chunk, list(event.selector))
        self.replaced = True
        return self._payloads.replacement(preset, "output_moderation")

    def close_open(self, status: str, error: str | None) -> Iterator[dict[str, Any]]:
        """Yield a ``node_finished`` for each node that was still at work when the run was ended."""
        for shared in list(self._open.values()):
            yield self._finish(shared, status, error, unix(None))
        self._open.clear()

    def _kind(self, event: ev.NodeEvent) -> str:
        return str(self._nodes.get(event.node_id, {}).get("type", event.node_type))

    def _title(self, node_id: str) -> str:
        return str(self._nodes.get(node_id, {}).get("title") or "")

    def _scope(self, event: ev.EngineEvent) -> dict[str, str | None]:
        owner = event.container_id
        kind = self._nodes.get(owner, {}).get("type") if owner else None
        return {
            "iteration_id": owner if kind == "iteration" else None,
            "loop_id": owner if kind == "loop" else None,
        }

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
        scope = self._scope(event)
        shared = {
            "id": event.id,
            "node_id": event.node_id,
            "node_type": self._kind(event),
            "title": self._title(event.node_id),
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
        scope = {k: shared.get(k) for k in _SCOPE}
        data = {k: v for k, v in shared.items() if k not in ("began", *scope)}
        return self._payloads.workflow_event("node_started", {**data, "extras": {}, **scope})

    def _finished(
        self,
        event: ev.NodeRunSucceededEvent | ev.NodeRunFailedEvent | ev.NodeRunExceptionEvent,
        status: str,
        error: str | None,
    ) -> Iterator[dict[str, Any]]:
        shared = self._open.pop(event.id, None)
        if shared is not None:
            elapsed = _seconds(event.start_at, event.finished_at)
            yield self._finish(shared, status, error, unix(event.finished_at), elapsed)

    def _finish(
        self,
        shared: dict[str, Any],
        status: str,
        error: str | None,
        finished_at: int,
        elapsed: float | None = None,
    ) -> dict[str, Any]:
        if elapsed is None:
            elapsed = _seconds(shared["began"], None)
        data = {
            **_head(shared),
            "inputs": None,
            "process_data": None,
            "outputs": None,
            "status": status,
            "error": error,
            "elapsed_time": elapsed,
            "execution_metadata": None,
            "created_at": shared["created_at"],
            "finished_at": finished_at,
            "files": [],
            **{k: shared.get(k) for k in _SCOPE},
        }
        return self._payloads.workflow_event("node_finished", data)

    def _agent_log(self, event: ev.NodeRunAgentLogEvent) -> dict[str, Any]:
        data, _ = truncate(jsonable(event.data))
        members = {
            "node_execution_id": event.node_execution_id,
            "id": event.message_id,
            "label": event.label,
            "parent_id": event.parent_id,
            "error": event.error,
            "status": event.status,
            "data": data,
            "metadata": jsonable(event.metadata),
            "node_id": event.node_id,
        }
        return self._payloads.workflow_event("agent_log", members)

    def _retry(self, event: ev.NodeRunRetryEvent) -> dict[str, Any]:
        result = event.node_run_result
        shared = self._open.get(event.id, {"index": self._count, "created_at": unix(event.start_at)})
        full: dict[str, Any] = {}
        for name in ("inputs", "process_data", "outputs"):
            full[name], full[f"{name}_truncated"] = truncate(jsonable(getattr(result, name)))
        data = {
            "id": event.id,
            "node_id": event.node_id,
            "node_type": self._kind(event),
            "title": self._title(event.node_id),
            "index": shared["index"],
            "predecessor_node_id": None,
            **full,
            "status": "retry",
            "error": in_words(event.error),
            "elapsed_time": _seconds(event.start_at, None),
            "execution_metadata": None,
            "created_at": shared["created_at"],
            "finished_at": unix(None),
            "files": [],
            **self._scope(event),
            "iteration_index": shared.get("iteration_index"),
            "retry_index": event.retry_index,
        }
        return self._payloads.workflow_event("node_retry", data)

    def _container(self, event: Any, step: str, **members: Any) -> dict[str, Any]:
        kind = self._kind(event)
        head = {
            "id": event.node_id,
            "node_id": event.node_id,
            "node_type": kind,
            "title": self._title(event.node_id),
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
            elapsed_time=_seconds(event.start_at, None),
            total_tokens=int(metadata.get("total_tokens") or 0),
            execution_metadata=metadata,
            finished_at=unix(None),
            steps=event.steps,
        )


def _head(shared: dict[str, Any]) -> dict[str, Any]:
    return {k: shared[k] for k in ("id", "node_id", "node_type", "title", "index", "predecessor_node_id")}


def _seconds(began: datetime, ended: datetime | None) -> float:
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    ended = datetime.now(UTC) if ended is None else ended if ended.tzinfo else ended.replace(tzinfo=UTC)
    return round(max(0.0, (ended - began).total_seconds()), 6)
