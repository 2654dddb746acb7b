"""The event log of runs: append in batches, read by cursor. The events of a run count from 1."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from store import db, sql

AT_ONCE = 200


@db.writes
def append(run_id: str, first_seq: int, payloads: list[str]) -> None:
    """Store payloads (JSON text each) as ``first_seq``, ``first_seq + 1``, …: all of them or none.

    A number that is taken is an error of the writer (``TransactionIntegrityError``): a run has one writer.
    """
    for first in range(0, len(payloads), AT_ONCE):
        some = payloads[first : first + AT_ONCE]
        marks = ", ".join("(?, ?, ?)" for _ in some)
        values = [part for i, one in enumerate(some) for part in (run_id, first_seq + first + i, sql.text(one))]
        sql.change(f"INSERT INTO events (run_id, seq, payload) VALUES {marks}", *values)


def claim(run_id: str, first_seq: int, payloads: list[str]) -> bool:
    """As `append`, for a run that another process may have taken over: False when it has written these numbers."""
    try:
        append(run_id, first_seq, payloads)
    except db.RETRIED:
        return False
    return True


@db.reads
def read(run_id: str, after_seq: int, limit: int) -> list[tuple[int, str]]:
    """Up to ``limit`` events numbered above ``after_seq``, in order."""
    statement = "SELECT seq, payload FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?"
    return [(int(one[0]), one[1]) for one in sql.rows(statement, run_id, after_seq, limit)]


@db.reads
def last_seq(run_id: str) -> int:
    """The highest number stored for the run; 0 when it has no events."""
    found = sql.row("SELECT MAX(seq) FROM events WHERE run_id = ?", run_id)
    return int(found[0]) if found and found[0] is not None else 0
