"""Who executes a run: a worker (one process) holds it by a lease that it renews.

A run whose worker is gone is taken over by exactly one other: the statement that takes it names the worker it
is taken from.
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Collection

from store import db, sql
from store.clock import now_micros
from store.runs import Run, one, unfinished

_UNFINISHED = "status IN ('queued', 'running') AND finished_at IS NULL"


@db.reads
def held(worker: str) -> dict[str, bool]:
    """The unfinished runs of a worker: id → whether somebody asked it to stop."""
    found = sql.rows(f"SELECT id, stop_requested FROM runs WHERE {_UNFINISHED} AND worker = ?", worker)
    return {str(row[0]): bool(row[1]) for row in found}


@db.writes
def renew(worker: str, run_ids: Collection[str], seconds: float) -> int:
    """Hold these unfinished runs of a worker for ``seconds`` more; out: how many."""
    if not run_ids:
        return 0
    marks = ", ".join("?" for _ in run_ids)
    statement = f"UPDATE runs SET lease_until = ? WHERE {_UNFINISHED} AND worker = ? AND id IN ({marks})"
    return sql.change(statement, now_micros() + round(seconds * 1_000_000), worker, *run_ids)


@db.reads
def lapsed(gone: Collection[str] = ()) -> list[Run]:
    """Queued and running runs that no worker's lease covers any more, and those of workers that are ``gone``; in turns
    of their subjects.
    """
    named = f" OR worker IN ({', '.join('?' for _ in gone)})" if gone else ""
    return unfinished(f"worker = '' OR lease_until < ?{named}", now_micros(), *gone)


@db.reads
def free(count: int) -> list[Run]:
    """Queued and running runs that nobody holds: the ``count`` whose turn is next among their subjects'."""
    return unfinished("worker = ''", most=count)


@db.reads
def workers() -> set[str]:
    """The names of all that hold queued or running runs."""
    return {str(row[0]) for row in sql.rows(f"SELECT DISTINCT worker FROM runs WHERE {_UNFINISHED}")}


@db.writes
def take(run: Run, worker: str, seconds: float) -> Run | None:
    """Take over a run from its worker as read; None when another was quicker or it went on meanwhile.

    Only a run that had begun counts it as an attempt: one that waits for its turn did not end its process.
    """
    now = now_micros()
    taken = sql.change(
        "UPDATE runs SET worker = ?, lease_until = ?,"
        " attempts = attempts + CASE WHEN status = 'running' THEN 1 ELSE 0 END"
        f" WHERE id = ? AND worker = ? AND attempts = ? AND {_UNFINISHED}",
        worker,
        now + round(seconds * 1_000_000),
        run.id,
        run.worker,
        run.attempts,
    )
    return one(run.id) if taken else None


@db.writes
def release(run_id: str, worker: str) -> bool:
    """Give a run up, so that any worker may take it over at once."""
    return sql.change("UPDATE runs SET worker = '', lease_until = 0 WHERE id = ? AND worker = ?", run_id, worker) == 1


@db.writes
def release_queued(worker: str) -> int:
    """Give up the runs that have not begun; out: how many."""
    statement = (
        "UPDATE runs SET worker = '', lease_until = 0 WHERE status = 'queued' AND worker = ? AND finished_at IS NULL"
    )
    return sql.change(statement, worker)
