"""The plain value of a run, how it is read from a row, and the moves of its status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import sql
from store.clock import EPOCH, from_micros
from store.moves import Machine

ENDINGS = frozenset({"succeeded", "failed", "stopped", "partial-succeeded"})
MOVES = Machine(
    table="runs",
    key="id",
    moves={
        "queued": frozenset({"running", "failed", "stopped"}),
        "running": ENDINGS | {"paused", "queued"},
        "paused": frozenset({"running", "failed", "stopped"}),
        **{ending: frozenset() for ending in ENDINGS},
    },
)
COLUMNS = (
    "id, task_id, app_id, version_id, mode, subject, account_id, session_id, status, inputs, query,"
    " conversation_id,"
    " message_id, outputs, error, elapsed, total_tokens, total_steps, exceptions_count, stop_requested,"
    " created_at,"
    " started_at, finished_at, worker, lease_until, attempts, resumed_after, files"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``id`` is the workflow run id on the wire; ``elapsed`` is in seconds.

    ``worker`` is the process that holds it until ``lease_until``, empty for none; ``attempts`` counts how
    often it was taken over from a lost one; ``resumed_after`` is the number of the last event before it last
    went on after a pause, 0 if it never paused. ``files`` are the values of what was attached to its request.
    """

    id: str
    task_id: str
    app_id: str
    version_id: str
    mode: str
    subject: str
    account_id: str | None
    session_id: str
    status: str
    inputs: dict[str, Any]
    query: str | None
    conversation_id: str | None
    message_id: str | None
    outputs: dict[str, Any] | None
    error: str | None
    elapsed: float
    total_tokens: int
    total_steps: int
    exceptions_count: int
    stop_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker: str = ""
    lease_until: datetime = EPOCH
    attempts: int = 0
    resumed_after: int = 0
    files: list[dict[str, Any]] | None = None

    @property
    def is_over(self) -> bool:
        """True when the run has ended and will not change any more."""
        return self.status in ENDINGS


def run_of(found: sql.Row | None) -> Run | None:
    """The run in a row of ``COLUMNS``; None for None."""
    if found is None:
        return None
    moments = {20: from_micros, 21: from_micros, 22: from_micros, 24: from_micros}
    return Run(*sql.converted(found, {9: json.loads, 13: json.loads, 19: bool, 27: json.loads, **moments}))
