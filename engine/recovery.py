"""Ending the runs that an earlier process left unfinished: a run never stays `running` for good."""

from __future__ import annotations

import json
from typing import Any

from engine.follow import is_last
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
        if final and is_last(final[0][1]):
            # The process died between writing the last event and moving the row: the event is what clients
            # saw.
            data = json.loads(final[0][1])["data"]
            rows.finish(
                row.id,
                data["status"],
                data["outputs"],
                data["error"],
                data["elapsed_time"],
                data["total_tokens"],
                data["total_steps"],
                data["exceptions_count"],
            )
            _close_message(row)
            continue
        now = current().now()
        elapsed = round((now - row.created_at).total_seconds(), 6)
        payload = json.dumps(_finished(row, elapsed, int(now.timestamp())), separators=(",", ":"))
        stored.append(row.id, last + 1, [payload])
        rows.finish(row.id, "failed", {}, LOST, elapsed, 0, 0, 0)
        _close_message(row)
    return len(lost)


def _close_message(row: rows.Run) -> None:
    if row.message_id is not None:
        conversations.finish_message(row.message_id, answer="", status="error", error=LOST)


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
