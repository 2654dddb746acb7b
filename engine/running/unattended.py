"""Ending a run that nobody executes: one that waits for people, or whose process was lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.events.failures import INTERNAL, LOST
from engine.events.payloads import Payloads
from engine.inputs.variables import WORKFLOW_MODES
from engine.running import opening
from store import conversations, db, events
from store import runs as rows
from store.clock import current

_PAGE = 500
_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@db.writes
def end(row: rows.Run, status: str, error: str) -> bool:
    """End a run, with the events that its readers wait for; False when it is not as it was read any more.

    One transaction: what its worker, if it lives after all, tells meanwhile is found, or cannot be stored any more.

    If the run's last event is in the log already (its process died before the row was moved), that is how
    it ended, whatever is asked.
    """
    told = _Told(row)
    if told.finished is not None:
        return _record(row, told.finished, told, [])
    finished_at = int(current().now().timestamp())
    outputs = {"answer": told.answer, "files": []} if row.message_id and told.answer else {}
    context = opening.context_of(row, {})
    payloads = Payloads(context)
    data = {"status": status, "outputs": outputs, "error": error, "elapsed_time": told.elapsed}
    data |= {"total_tokens": told.tokens, "total_steps": told.steps, "exceptions_count": 0}
    if not context.is_flow:
        cause = LOST if error.startswith(LOST.code) else INTERNAL
        failed = payloads.error(cause.code, cause.status, error)
        return _record(row, data, told, [failed if status == "failed" else payloads.message_end(told.usage, [])])
    last = [node_closed(payloads, one, status, error) for one in told.open.values()]
    if context.is_chat:
        last.append(payloads.message_end(told.usage, [], told.resources))
    finished = payloads.workflow_finished(
        status=status,
        outputs=outputs,
        error=error,
        elapsed=told.elapsed,
        tokens=told.tokens,
        steps=told.steps,
        exceptions=0,
        finished_at=finished_at,
    )
    return _record(row, data, told, [*last, finished])


def node_closed(payloads: Payloads, started: Mapping[str, Any], status: str, error: str) -> dict[str, Any]:
    """Make the ``node_finished`` of a node whose ``node_started`` (its data) was told."""
    now = int(current().now().timestamp())
    names = ("id", "node_id", "node_type", "title", "index", "predecessor_node_id")
    data = {
        **{name: started[name] for name in names},
        "inputs": None,
        "process_data": None,
        "outputs": None,
        "status": "stopped" if status == "stopped" else "failed",
        "error": error,
        "elapsed_time": max(0, now - started["created_at"]),
        "execution_metadata": None,
        "created_at": started["created_at"],
        "finished_at": now,
        "files": [],
        "iteration_id": started["iteration_id"],
        "iteration_index": started.get("iteration_index"),
        "loop_id": started["loop_id"],
    }
    return payloads.workflow_event("node_finished", data)


def container_closed(payloads: Payloads, started: Mapping[str, Any], error: str) -> dict[str, Any]:
    """Make the ``…_completed`` of an iteration or loop whose ``…_started`` was told: it failed."""
    now = int(current().now().timestamp())
    data, name = started["data"], str(started["event"]).replace("_started", "_completed")
    names = ("id", "node_id", "node_type", "title", "created_at", "extras", "inputs", "inputs_truncated")
    members = {
        **{name: data[name] for name in names},
        "outputs": None,
        "outputs_truncated": False,
        "status": "failed",
        "error": error,
        "elapsed_time": max(0, now - data["created_at"]),
        "total_tokens": 0,
        "execution_metadata": None,
        "finished_at": now,
        "steps": 0,
    }
    return payloads.workflow_event(name, members)


class _Told:
    """What a run's log says of it."""

    def __init__(self, row: rows.Run) -> None:
        self._row = row
        self.seq, self.steps, self.tokens, self.elapsed = 0, 0, 0, 0.0
        # As they were when the run began to wait.
        self.metadata = conversations.metadata(row.message_id) if row.message_id else {}
        self.usage: dict[str, int] = self.metadata.get("usage") or _NO_USAGE
        self.resources: list[dict[str, Any]] = self.metadata.get("retriever_resources") or []
        self.answer = ""
        self.open: dict[str, dict[str, Any]] = {}
        self.finished: dict[str, Any] | None = None
        while batch := events.read(row.id, self.seq, _PAGE):
            for seq, payload in batch:
                self.seq = seq
                self._take(json.loads(payload))

    def _take(self, event: Mapping[str, Any]) -> None:
        data = event.get("data", {})
        match event["event"]:
            case "node_started":
                self.steps += data["id"] not in self.open
                self.open[data["id"]] = data
            case "node_finished":
                self.open.pop(data["id"], None)
            case "message" | "agent_message":
                self.answer += event["answer"]
            case "message_replace":
                self.answer = event["answer"]
            case "workflow_paused":
                self.tokens, self.elapsed = data["total_tokens"], data["elapsed_time"]
            case "workflow_finished":
                self.finished = data
            case "error":
                self.finished = self._figures("failed", event["message"])
            case "message_end" if self._row.mode not in WORKFLOW_MODES:
                stopped = self._row.stop_requested
                self.finished = self._figures(
                    "stopped" if stopped else "succeeded", "Stopped by user." if stopped else None
                )

    def _figures(self, status: str, error: str | None) -> dict[str, Any]:
        figures = {"elapsed_time": 0.0, "total_tokens": 0, "total_steps": 0, "exceptions_count": 0}
        return {"status": status, "outputs": {}, "error": error, **figures}


def _record(row: rows.Run, data: Mapping[str, Any], told: _Told, last: list[dict[str, Any]]) -> bool:
    # The row first: who loses the race for it writes nothing.
    ended = row.status in ("queued", "running", "paused") and rows.finish(
        row.id,
        data["status"],
        data["outputs"],
        data["error"],
        data["elapsed_time"],
        data["total_tokens"],
        data["total_steps"],
        data["exceptions_count"],
        held_as=(row.status, row.worker),
    )
    if not ended:
        return False
    texts = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in last]
    events.append(row.id, told.seq + 1, texts)
    if row.message_id is not None:
        status = {"failed": "error", "stopped": "stopped"}.get(data["status"], "normal")
        conversations.finish_message(
            row.message_id,
            answer=told.answer,
            status=status,
            tokens=data["total_tokens"],
            metadata=told.metadata,
            error=data["error"],
        )
    return True
