"""Runs: the row is the truth about a run, whoever is or is not listening to it."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, sql
from store.caller import Caller
from store.clock import EPOCH, current_ids, from_micros, now_micros, to_micros
from store.moves import Machine

ENDINGS = frozenset({"succeeded", "failed", "stopped", "partial-succeeded"})
MOVES = Machine(
    table="runs",
    key="id",
    moves={
        "queued": frozenset({"running", "failed", "stopped"}),
        "running": ENDINGS | {"paused"},
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


@db.writes
def create(
    *,
    app_id: str,
    version_id: str,
    caller: Caller,
    inputs: dict[str, Any],
    mode: str,
    conversation_id: str | None = None,
    message_id: str | None = None,
    query: str | None = None,
    files: Sequence[Mapping[str, Any]] = (),
    worker: str = "",
    lease_seconds: float = 0,
) -> Run:
    """Write down a run that is about to start (status ``queued``); it belongs to the caller's subject.

    ``worker`` is the process that will execute it, which has to renew its lease every ``lease_seconds``.
    """
    run_id, now = current_ids().uuid7(), now_micros()
    sql.change(
        "INSERT INTO runs (id, task_id, app_id, version_id, mode, subject, account_id, session_id, status,"
        " inputs, query,"
        " conversation_id, message_id, elapsed, total_tokens, total_steps, exceptions_count,"
        " stop_requested, created_at, worker, lease_until, files)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, ?)",
        run_id,
        current_ids().uuid7(),
        app_id,
        version_id,
        mode,
        caller.subject,
        caller.account_id,
        caller.session_id,
        sql.to_json(inputs),
        None if query is None else sql.text(query),
        conversation_id,
        message_id,
        False,
        now,
        worker,
        now + round(lease_seconds * 1_000_000),
        sql.to_json(list(files)) if files else None,
    )
    return begun(run_id)


@db.reads
def visible(caller: Caller, app_id: str, run_or_task_id: str) -> Run | None:
    """The caller's own run of this app, by run id or by task id; None for absent and for somebody else's
    alike."""
    wanted, app = sql.uuid_or_none(run_or_task_id), sql.uuid_or_none(app_id)
    if wanted is None or app is None:
        return None
    statement = f"SELECT {COLUMNS} FROM runs WHERE (id = ? OR task_id = ?) AND app_id = ? AND subject = ?"
    return _run(sql.row(statement, wanted, wanted, app, caller.subject))


@db.reads
def first_of(caller: Caller, app_id: str, conversation_id: str) -> Run | None:
    """The caller's run that began a conversation with this app; None when there is none."""
    statement = (
        f"SELECT {COLUMNS} FROM runs WHERE app_id = ? AND subject = ? AND conversation_id = ?"
        " ORDER BY created_at, id LIMIT 1"
    )
    return _run(sql.row(statement, app_id, caller.subject, sql.uuid_or_none(conversation_id)))


@db.reads
def for_worker(run_id: str) -> Run | None:
    """A run by id, asking nobody's permission: for the code that executes it, never for a handler."""
    return _get(run_id)


@db.reads
def begun(run_id: str) -> Run:
    """A run that is known to be there; RuntimeError if it is not."""
    found = _get(run_id)
    if found is None:
        raise RuntimeError(f"run {run_id} is gone")
    return found


@db.reads
def ahead_of(run: Run) -> int:
    """How many earlier runs of the same conversation are queued or running; one that waits for a person is not
    counted.
    """
    return _unfinished(run.app_id, run.conversation_id, to_micros(run.created_at), run.id)


@db.reads
def unfinished_of(app_id: str, conversation_id: str) -> int:
    """How many runs of a conversation are queued or running now."""
    return _unfinished(app_id, conversation_id, None, "")


def _unfinished(app_id: str, conversation_id: str | None, before: int | None, run_id: str) -> int:
    statement = (
        "SELECT COUNT(*) FROM runs WHERE status IN ('queued', 'running') AND finished_at IS NULL"
        " AND app_id = ? AND conversation_id = ?"
    )
    values: list[object] = [app_id, conversation_id]
    if before is not None:
        statement += " AND (created_at < ? OR (created_at = ? AND id < ?))"
        values += [before, before, run_id]
    found = sql.row(statement, *values)
    return int(found[0]) if found else 0


@db.writes
def begin(run_id: str, worker: str | None = None) -> bool:
    """queued or paused → running; False if it was not waiting (stopped meanwhile, or begun elsewhere).

    ``worker``: only if that one holds it and nobody has asked it to stop.
    """
    if worker is not None:
        found = sql.locked("SELECT worker, stop_requested FROM runs WHERE id = ?", run_id)
        if found is None or found[0] != worker or found[1]:
            return False
    return MOVES.move(run_id, "running", started_at=now_micros())


@db.writes
def pause(run_id: str) -> bool:
    """running → paused; False if it was not running."""
    return MOVES.move(run_id, "paused")


@db.writes
def finish(
    run_id: str,
    status: str,
    outputs: dict[str, Any] | None = None,
    error: str | None = None,
    elapsed: float = 0.0,
    total_tokens: int = 0,
    total_steps: int = 0,
    exceptions_count: int = 0,
    held_as: tuple[str, str] | None = None,
    worker: str | None = None,
) -> bool:
    """End a run with one of ``ENDINGS``; False if it had ended already (then nothing changes).

    ``worker``: only if that one holds it; ``held_as``: only if its status and worker are still these.
    Its checkpoint goes, and forms that still wait for an answer expire.
    """
    if status not in ENDINGS:
        raise ValueError(f"a run does not end as {status!r}")
    if held_as is not None or worker is not None:
        found = sql.locked("SELECT status, worker FROM runs WHERE id = ?", run_id)
        if found is None or (held_as or (found[0], worker)) != (found[0], found[1]):
            return False
    ended = MOVES.move(
        run_id,
        status,
        outputs=None if outputs is None else sql.to_json(outputs),
        error=None if error is None else sql.text(error),
        elapsed=float(elapsed),
        total_tokens=total_tokens,
        total_steps=total_steps,
        exceptions_count=exceptions_count,
        finished_at=now_micros(),
    )
    if ended:
        sql.change("DELETE FROM checkpoints WHERE run_id = ?", run_id)
        statement = "UPDATE forms SET status = 'expired', decided_at = ? WHERE run_id = ? AND status = 'waiting'"
        sql.change(statement, now_micros(), run_id)
    return ended


@db.writes
def request_stop(run_id: str) -> bool:
    """Ask a run to stop; False if it has ended. Whoever executes it sees ``stop_requested``. Asking again is
    no error."""
    statement = "UPDATE runs SET stop_requested = ? WHERE id = ? AND status IN ('queued', 'running', 'paused')"
    return sql.change(statement, True, run_id) == 1


@db.reads
def stop_requested(run_id: str) -> bool:
    """True when somebody asked this run to stop."""
    found = sql.row("SELECT stop_requested FROM runs WHERE id = ?", run_id)
    return bool(found and found[0])


@db.reads
def active_count(app_id: str) -> int:
    """How many runs of an app are queued or running now."""
    unfinished = "status IN ('queued', 'running') AND finished_at IS NULL"
    found = sql.row(f"SELECT COUNT(*) FROM runs WHERE app_id = ? AND {unfinished}", app_id)
    return int(found[0]) if found else 0


def _get(run_id: str) -> Run | None:
    return _run(sql.row(f"SELECT {COLUMNS} FROM runs WHERE id = ?", sql.uuid_or_none(run_id)))


def _run(found: sql.Row | None) -> Run | None:
    if found is None:
        return None
    moments = {20: from_micros, 21: from_micros, 22: from_micros, 24: from_micros}
    return Run(*sql.converted(found, {9: json.loads, 13: json.loads, 19: bool, 27: json.loads, **moments}))


def one(run_id: str) -> Run | None:
    """The run, within the caller's transaction."""
    return _get(run_id)


def unfinished(condition: str, *values: object) -> list[Run]:
    """Queued and running runs that meet a condition, oldest first, within the caller's transaction."""
    statement = (
        f"SELECT {COLUMNS} FROM runs WHERE status IN ('queued', 'running') AND finished_at IS NULL {condition}"
        " ORDER BY created_at, id"
    )
    return [run for run in map(_run, sql.rows(statement, *values)) if run]
