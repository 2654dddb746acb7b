"""Conversations and their messages. A conversation belongs to one app and one subject."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, sql
from store.caller import Caller
from store.clock import current_ids, from_micros, now_micros
from store.moves import Machine

MESSAGE_MOVES = Machine(
    table="messages",
    key="id",
    moves={
        "running": frozenset({"normal", "error", "stopped", "paused"}),
        "paused": frozenset({"running", "error", "normal", "stopped"}),
    },
)
_HANDFUL = 25
COLUMNS = "id, app_id, subject, name, inputs, created_at, updated_at"
MESSAGE_COLUMNS = "id, conversation_id, query, inputs, answer, status, error, tokens, metadata, created_at, finished_at"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; ``inputs`` are those of its first message and hold for all later ones."""

    id: str
    app_id: str
    subject: str
    name: str
    inputs: dict[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One question and its answer; ``status`` is running, paused, normal, error or stopped."""

    id: str
    conversation_id: str
    query: str
    inputs: dict[str, Any]
    answer: str
    status: str
    error: str | None
    tokens: int
    metadata: dict[str, Any]
    created_at: datetime
    finished_at: datetime | None


@db.writes
def open(app_id: str, caller: Caller, inputs: dict[str, Any], name: str) -> Conversation:
    """Begin a conversation of the caller's subject with an app."""
    conversation_id, now = current_ids().uuid7(), now_micros()
    clean = sql.text(name)
    sql.change(
        "INSERT INTO conversations (id, app_id, subject, name, inputs, variables, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, '{}', ?, ?)",
        conversation_id,
        app_id,
        caller.subject,
        clean,
        sql.to_json(inputs),
        now,
        now,
    )
    moment = from_micros(now)
    return Conversation(conversation_id, app_id, caller.subject, clean, inputs, moment, moment)


@db.reads
def visible(caller: Caller, app_id: str, conversation_id: str) -> Conversation | None:
    """The caller's own conversation with this app; None for absent and for somebody else's alike."""
    wanted = sql.uuid_or_none(conversation_id)
    statement = f"SELECT {COLUMNS} FROM conversations WHERE id = ? AND app_id = ? AND subject = ?"
    found = sql.row(statement, wanted, app_id, caller.subject) if wanted else None
    if found is None:
        return None
    return Conversation(*sql.converted(found, {4: json.loads, 5: from_micros, 6: from_micros}))


@db.writes
def rename(conversation_id: str, name: str) -> None:
    """Give a conversation another name."""
    sql.change("UPDATE conversations SET name = ? WHERE id = ?", sql.text(name), conversation_id)


@db.reads
def variables(conversation_id: str) -> dict[str, Any]:
    """The conversation's variables as last saved; empty at first."""
    found = sql.row("SELECT variables FROM conversations WHERE id = ?", conversation_id)
    loaded: dict[str, Any] = json.loads(found[0]) if found else {}
    return loaded


@db.writes
def save_variables(conversation_id: str, values: dict[str, Any]) -> None:
    """Replace the conversation's variables (JSON-able)."""
    statement = "UPDATE conversations SET variables = ?, updated_at = ? WHERE id = ?"
    sql.change(statement, sql.to_json(values), now_micros(), conversation_id)


@db.writes
def create_message(conversation_id: str, *, query: str, inputs: dict[str, Any]) -> Message:
    """Add a question to a conversation; its answer is still being made (status ``running``)."""
    # Held first: of two questions at once, the one with the earlier time is also answered first.
    sql.locked("SELECT id FROM conversations WHERE id = ?", conversation_id)
    message_id, now, clean = current_ids().uuid7(), now_micros(), sql.text(query)
    sql.change(
        "INSERT INTO messages (id, conversation_id, query, inputs, answer, status, tokens, metadata,"
        " created_at)"
        " VALUES (?, ?, ?, ?, '', 'running', 0, '{}', ?)",
        message_id,
        conversation_id,
        clean,
        sql.to_json(inputs),
        now,
    )
    sql.change("UPDATE conversations SET updated_at = ? WHERE id = ?", now, conversation_id)
    return Message(message_id, conversation_id, clean, inputs, "", "running", None, 0, {}, from_micros(now), None)


@db.reads
def metadata(message_id: str) -> dict[str, Any]:
    """What a message rests on and took, as far as it was stored; empty before it ended or waited."""
    found = sql.row("SELECT metadata FROM messages WHERE id = ?", message_id)
    loaded: dict[str, Any] = json.loads(found[0]) if found else {}
    return loaded


@db.writes
def finish_message(
    message_id: str,
    *,
    answer: str,
    status: str = "normal",
    tokens: int = 0,
    metadata: dict[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """Write the answer (status ``normal``, ``error`` or ``stopped``); False if it was finished already."""
    return MESSAGE_MOVES.move(
        message_id,
        status,
        answer=sql.text(answer),
        tokens=tokens,
        metadata=sql.to_json(metadata or {}),
        error=None if error is None else sql.text(error),
        finished_at=now_micros(),
    )


@db.reads
def message_count(conversation_id: str, before: str | None = None) -> int:
    """How many messages a conversation has (before the one with the id ``before``), unfinished ones included."""
    earlier, values = _earlier(before)
    found = sql.row(f"SELECT COUNT(*) FROM messages WHERE conversation_id = ?{earlier}", conversation_id, *values)
    return int(found[0]) if found else 0


@db.reads
def history(conversation_id: str, limit: int = 500, before: str | None = None, most: int = 0) -> list[Message]:
    """The newest ``limit`` messages (before the one with the id ``before``), oldest first; no more than hold ``most``
    characters together (0: any number).
    """
    earlier, values = _earlier(before)
    order = "ORDER BY created_at DESC, id DESC LIMIT ?"
    count = _fitting(conversation_id, earlier, values, limit, most) if most else limit
    statement = f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE conversation_id = ?{earlier} {order}"
    return [_message(found) for found in reversed(sql.rows(statement, conversation_id, *values, count))]


def _fitting(conversation_id: str, earlier: str, values: tuple[str, ...], limit: int, most: int) -> int:
    """How many of the newest messages hold at most ``most`` characters together."""
    statement = (
        "SELECT LENGTH(query) + LENGTH(answer) + LENGTH(inputs) + LENGTH(metadata) FROM messages"
        f" WHERE conversation_id = ?{earlier} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
    )
    count = size = 0
    # By the handful: to learn how long a text is, a database may read it.
    while count < limit:
        found = sql.rows(statement, conversation_id, *values, min(_HANDFUL, limit - count), count)
        for (length,) in found:
            size += int(length)
            if size > most:
                return count
            count += 1
        if len(found) < _HANDFUL:
            break
    return count


def _earlier(message_id: str | None) -> tuple[str, tuple[str, ...]]:
    if message_id is None:
        return "", ()
    return " AND (created_at, id) < (SELECT created_at, id FROM messages WHERE id = ?)", (message_id,)


def _message(found: sql.Row) -> Message:
    return Message(*sql.converted(found, {3: json.loads, 8: json.loads, 9: from_micros, 10: from_micros}))
