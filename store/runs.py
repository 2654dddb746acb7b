"""Runs: the row is the truth about a run, whoever is or is not listening to it."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from store import db, sql
from store.caller import Caller
from store.clock import current_ids, from_micros, now_micros
from store.run_row import COLUMNS, ENDINGS, MOVES, run_of
from store.run_row import Run as Run


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
    now = now_micros()
    until = now + round(lease_seconds * 1_000_000)
    run = Run(
        id=current_ids().uuid7(),
        task_id=current_ids().uuid7(),
        app_id=app_id,
        version_id=version_id,
        mode=mode,
        subject=caller.subject,
        account_id=caller.account_id,
        session_id=caller.session_id,
        status="queued",
        inputs=inputs,
        query=None if query is None else sql.text(query),
        conversation_id=conversation_id,
        message_id=message_id,
        outputs=None,
        error=None,
        elapsed=0.0,
        total_tokens=0,
        total_steps=0,
        exceptions_count=0,
        stop_requested=False,
        created_at=from_micros(now),
        started_at=None,
        finished_at=None,
        worker=worker,
        lease_until=from_micros(until),
        files=[dict(one) for one in files] or None,
    )
    sql.change(
        "INSERT INTO runs (id, task_id, app_id, version_id, mode, subject, account_id, session_id, status,"
        " inputs, query,"
        " conversation_id, message_id, elapsed, total_tokens, total_steps, exceptions_count,"
        " stop_requested, created_at, worker, lease_until, files)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, ?)",
        run.id,
        run.task_id,
        app_id,
        version_id,
        mode,
        run.subject,
        run.account_id,
        run.session_id,
        sql.to_json(inputs),
        run.query,
        conversation_id,
        message_id,
        False,
        now,
        worker,
        until,
        sql.to_json(run.files) if run.files else None,
    )
    return run


@db.reads
def visible(caller: Caller, app_id: str, run_or_task_id: str) -> Run | None:
    """The caller's own run of this app, by run id or by task id; None for absent and for somebody else's
    alike."""
    wanted, app = sql.uuid_or_none(run_or_task_id), sql.uuid_or_none(app_id)
    if wanted is None or app is None:
        return None
    statement = f"SELECT {COLUMNS} FROM runs WHERE (id = ? OR task_id = ?) AND app_id = ? AND subject = ?"
    return run_of(sql.row(statement, wanted, wanted, app, caller.subject))


@db.reads
def first_of(caller: Caller, app_id: str, conversation_id: str) -> Run | None:
    """The caller's run that began a conversation with this app; None when there is none."""
    statement = (
        f"SELECT {COLUMNS} FROM runs WHERE app_id = ? AND subject = ? AND conversation_id = ?"
        " ORDER BY created_at, id LIMIT 1"
    )
    return run_of(sql.row(statement, app_id, caller.subject, sql.uuid_or_none(conversation_id)))


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


@db.writes
def begin(run_id: str, worker: str | None = None) -> bool:
    """queued or paused → running; False if it was not waiting (stopped meanwhile, or begun elsewhere).

    ``worker``: only if that one holds it and nobody has asked it to stop.
    """
    mine = None if worker is None else {"worker": worker, "stop_requested": False}
    return MOVES.move(run_id, "running", mine, started_at=now_micros())


@db.writes
def pause(run_id: str) -> bool:
    """running → paused; False if it was not running."""
    return MOVES.move(run_id, "paused")


@db.writes
def requeue(run_id: str, worker: str, new: str) -> bool:
    """running → queued, from ``worker`` to ``new`` (empty: whoever takes it), to be begun again from its start; False
    if it was not that worker's.
    """
    lease = {} if new == worker else {"lease_until": 0}
    return MOVES.move(run_id, "queued", {"worker": worker}, worker=new, **lease)


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
    only: dict[str, object] = {} if worker is None else {"worker": worker}
    if held_as is not None:
        only = dict(zip(("status", "worker"), held_as, strict=True))
    ended = MOVES.move(
        run_id,
        status,
        only,
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


def _get(run_id: str) -> Run | None:
    return run_of(sql.row(f"SELECT {COLUMNS} FROM runs WHERE id = ?", sql.uuid_or_none(run_id)))


def one(run_id: str) -> Run | None:
    """The run, within the caller's transaction."""
    return _get(run_id)


def unfinished(condition: str, *values: object, most: int = 1000) -> list[Run]:
    """At most ``most`` of the queued and running runs that meet a condition, within the caller's transaction.

    They come in turns: the oldest of each subject, then the second of each, and so on. A subject's other runs that a
    worker holds count as turns that it has had.
    """
    at_work = "status IN ('queued', 'running') AND finished_at IS NULL"
    statement = (
        f"SELECT {COLUMNS} FROM runs JOIN (SELECT id AS chosen, COALESCE(held, 0)"
        " + ROW_NUMBER() OVER (PARTITION BY subject ORDER BY created_at, id) AS turn"
        " FROM runs LEFT JOIN (SELECT subject AS holder, COUNT(*) AS held FROM runs"
        f" WHERE {at_work} AND worker <> '' AND NOT ({condition}) GROUP BY subject) AS others ON holder = subject"
        f" WHERE {at_work} AND ({condition}) ORDER BY turn, created_at, id LIMIT ?) AS turns ON chosen = id"
        " ORDER BY turn, created_at, id"
    )
    return [run for run in map(run_of, sql.rows(statement, *values, *values, most)) if run]
