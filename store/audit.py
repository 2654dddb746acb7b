"""The audit trail: who did what, with the request it came by. Secrets have no place in its fields."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, sql
from store.clock import current_ids, from_micros, now_micros

# Where a request's scope holds the id that its answer, its log lines and its records carry.
REQUEST_ID = "difyspec.request_id"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail."""

    id: str
    at: datetime
    event: str
    actor: str | None
    request_id: str | None
    fields: dict[str, Any]


@db.writes
def record(event: str, *, actor: str | None = None, request_id: str | None = None, **fields: Any) -> None:
    """Write one line; ``actor`` is a caller's ``subject`` or None for nobody known. ``fields`` must be
    JSON-able."""
    sql.change(
        "INSERT INTO audit (id, at, event, actor, request_id, fields) VALUES (?, ?, ?, ?, ?, ?)",
        current_ids().uuid7(),
        now_micros(),
        event,
        actor and sql.text(actor),
        request_id and sql.text(request_id),
        sql.to_json(fields),
    )


@db.reads
def recent(limit: int) -> list[Entry]:
    """The newest ``limit`` lines, newest first."""
    statement = "SELECT id, at, event, actor, request_id, fields FROM audit ORDER BY at DESC, id DESC LIMIT ?"
    return [Entry(*sql.converted(one, {1: from_micros, 5: json.loads})) for one in sql.rows(statement, limit)]
