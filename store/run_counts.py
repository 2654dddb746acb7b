"""How many runs of a conversation, a caller or an app are at work: whose turn it is, and whether there is room for
another.
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from store import db, sql
from store.clock import to_micros
from store.run_row import Run

_AT_WORK = "status IN ('queued', 'running') AND finished_at IS NULL"


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


@db.reads
def active_count(app_id: str) -> int:
    """How many runs of an app are queued or running now."""
    found = sql.row(f"SELECT COUNT(*) FROM runs WHERE app_id = ? AND {_AT_WORK}", app_id)
    return int(found[0]) if found else 0


@db.writes
def has_room(app_id: str, most: int) -> bool:
    """Whether an app may have one more run at work; in the transaction that begins it, for no other begins one then."""
    sql.serialise(f"runs of {app_id}")
    return active_count(app_id) < most


@db.writes
def subject_has_room(subject: str, most: int) -> bool:
    """The same of a caller's subject, whatever apps it runs."""
    sql.serialise(f"runs of {subject}")
    found = sql.row(f"SELECT COUNT(*) FROM runs WHERE subject = ? AND {_AT_WORK}", subject)
    return bool(found and found[0] < most)


@db.reads
def subject_may_wait(subject: str, most: int) -> bool:
    """Whether fewer than ``most`` of a subject's runs wait for people."""
    # Roughly: those at work may wait too, but they are few and have a bound of their own.
    statement = (
        "SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE subject = ? AND status = 'paused' AND finished_at IS NULL"
        " LIMIT ?) AS waiting"
    )
    found = sql.row(statement, subject, most)
    return bool(found and found[0] < most)


def _unfinished(app_id: str, conversation_id: str | None, before: int | None, run_id: str) -> int:
    statement = f"SELECT COUNT(*) FROM runs WHERE {_AT_WORK} AND app_id = ? AND conversation_id = ?"
    values: list[object] = [app_id, conversation_id]
    if before is not None:
        statement += " AND (created_at < ? OR (created_at = ? AND id < ?))"
        values += [before, before, run_id]
    found = sql.row(statement, *values)
    return int(found[0]) if found else 0
