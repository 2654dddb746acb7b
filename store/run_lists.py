"""Lists of a caller's own runs: those of an app, and the turns of a conversation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, sql
from store.caller import Caller
from store.clock import from_micros

TURNS = 200
# Characters of a text that a page shows: a conversation may hold gigabytes.
OF_TURN, OF_ANSWER = 50_000, 1_000_000


@dataclass(frozen=True, slots=True)
class RunRow:
    """What a list tells about a run; ``elapsed`` is in seconds."""

    id: str
    status: str
    inputs: dict[str, Any]
    query: str | None
    error: str | None
    elapsed: float
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation, the answer so far, and the run that gives it."""

    run_id: str
    status: str
    query: str
    answer: str
    error: str | None
    created_at: datetime


@db.reads
def page(caller: Caller, app_id: str, *, page: int = 1, limit: int = 20) -> tuple[list[RunRow], int]:
    """One page of the caller's runs of an app, newest first, and how many there are; pages count from 1."""
    mine = "FROM runs WHERE app_id = ? AND subject = ?"
    counted = sql.row(f"SELECT COUNT(*) {mine}", app_id, caller.subject)
    total, offset = int(counted[0]) if counted else 0, (page - 1) * limit
    if offset >= total:
        return [], total
    columns = "SELECT id, status, inputs, query, error, elapsed, created_at"
    order = "ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
    found = sql.rows(f"{columns} {mine} {order}", app_id, caller.subject, limit, offset)
    return [RunRow(*sql.converted(one, {2: json.loads, 6: from_micros})) for one in found], total


@db.reads
def turns(caller: Caller, app_id: str, conversation_id: str) -> list[Turn]:
    """The newest ``TURNS`` turns of the caller's conversation, oldest first, each text cut after ``OF_TURN``
    characters; empty for somebody else's.
    """
    found = sql.rows(
        "SELECT r.id, r.status, SUBSTR(r.query, 1, ?), SUBSTR(m.answer, 1, ?), r.error, r.created_at FROM runs r"
        " LEFT JOIN messages m ON m.id = r.message_id"
        " WHERE r.app_id = ? AND r.subject = ? AND r.conversation_id = ?"
        " ORDER BY r.created_at DESC, r.id DESC LIMIT ?",
        OF_TURN + 1,
        OF_TURN + 1,
        app_id,
        caller.subject,
        conversation_id,
        TURNS,
    )
    return [_turn(one) for one in reversed(found)]


@db.reads
def answer(message_id: str | None) -> str:
    """The stored answer of a run's message, cut after ``OF_ANSWER`` characters; empty while there is none. Ask only for
    a run that was found with permission.
    """
    statement = "SELECT SUBSTR(answer, 1, ?) FROM messages WHERE id = ?"
    found = sql.row(statement, OF_ANSWER + 1, message_id) if message_id else None
    return _cut(found[0], OF_ANSWER) if found else ""


def _cut(text: str | None, most: int) -> str:
    return text or "" if len(text or "") <= most else f"{(text or '')[:most]}…"


def _turn(found: sql.Row) -> Turn:
    run_id, status, query, answer, error, created = found
    return Turn(run_id, status, _cut(query, OF_TURN), _cut(answer, OF_TURN), error, from_micros(created))


@db.reads
def files_of(app_id: str, subject: str, conversation_id: str) -> dict[str, tuple[dict[str, Any], ...]]:
    """The values of what was attached to the questions of a conversation, by the ids of its messages."""
    found = sql.rows(
        "SELECT message_id, files FROM runs"
        " WHERE app_id = ? AND subject = ? AND conversation_id = ? AND files IS NOT NULL",
        app_id,
        subject,
        conversation_id,
    )
    return {message_id: tuple(json.loads(files)) for message_id, files in found}
