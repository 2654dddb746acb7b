"""Ending the runs that an earlier process left unfinished: a run never stays `running` for good."""

from __future__ import annotations

import json
from typing import Any

from engine.failures import INTERNAL
from engine.follow import is_last
from engine.variables import WORKFLOW_MODES
from store import conversations
from store import events as stored
from store import runs as rows
from store.clock import current

LOST = "The worker that ran this was lost."


def end_lost_runs() -> int:
    """End each unfinished run as failed, in the store and in its event log. Returns how many there were."""
    lost = rows.orphaned()
    for row in lost:
        last = stored.last_seq(row.id)
        final = stored.read(row.id, last - 1, 1) if last else []
        if final and is_last(final[0][1], row.mode):
            # The process died between writing the last event and moving the row: the event is what clients
            # saw.
            _finish_as_told(row, json.loads(final[0][1]))
            continue
        now = current().now()
        elapsed = round((now - row.created_at).total_seconds(), 6)
        end = _finished(row, elapsed, int(now.timestamp())) if row.mode in WORKFLOW_MODES else _error(row)
        payload = json.dumps(end, separators=(",", ":"))
        stored.append(row.id, last + 1, [payload])
        rows.finish(row.id, "failed", {}, LOST, elapsed, 0, 0, 0)
        _close_message(row)
    return len(lost)


def _finish_as_told(row: rows.Run, event: dict[str, Any]) -> None:
    if row.mode in WORKFLOW_MODES:
        data = event["data"]
        figures = (data["elapsed_time"], data["total_tokens"], data["total_steps"], data["exceptions_count"])
        rows.finish(row.id, data["status"], data["outputs"], data["error"], *figures)
    elif event["event"] == "error":
        rows.finish(row.id, "failed", {}, event["message"])
    else:
        rows.finish(row.id, "stopped" if row.stop_requested else "succeeded")
    _close_message(row)


def _close_message(row: rows.Run) -> None:
    if row.message_id is not None:
        conversations.finish_message(row.message_id, answer="", status="error", error=LOST)


def _error(row: rows.Run) -> dict[str, Any]:
    chat = {} if row.mode == "completion" else {"conversation_id": row.conversation_id}
    created = {"created_at": int(row.created_at.timestamp())}
    return {
        "event": "error",
        **chat,
        "message_id": row.message_id,
        **created,
        "task_id": row.task_id,
        "code": INTERNAL.code,
        "message": LOST,
        "status": INTERNAL.status,
    }


def _finished(row: rows.Run, elapsed: float, now: int) -> dict[str, Any]:
    created = int(row.created_at.timestamp())
    ids = {"workflow_run_id": row.id, "task_id": row.task_id}
    chat = {"conversation_id": row.conversation_id, "message_id": row.message_id, "created_at": created}
    return {
        "event": "workflow_finished",
        **(chat if row.conversation_id else {}),
        **ids,
        "data": {
            "id": row.id,
            "workflow_id": row.version_id,
            "status": "failed",
            "outputs": {},
            "error": LOST,
            "elapsed_time": elapsed,
            "total_tokens": 0,
            "total_steps": 0,
            "created_by": {"id": row.account_id or row.session_id},
            "created_at": created,
            "finished_at": now,
            "exceptions_count": 0,
            "files": [],
        },
    }
