"""Runs with their conversations, messages and events, and the log of who did what."""

from __future__ import annotations

from typing import Any

from pony.orm import LongStr, Optional, PrimaryKey, Required


def declare(base: Any) -> None:
    """Define the entities on ``base``, the ``Entity`` of a database."""

    class Conversation(base):
        _table_ = "conversations"
        id = PrimaryKey(str)
        app_id = Required(str)
        subject = Required(str)
        name = Optional(str, autostrip=False)
        inputs = Required(LongStr, autostrip=False)
        variables = Required(LongStr, autostrip=False)
        created_at = Required(int, size=64)
        updated_at = Required(int, size=64)

    class Message(base):
        _table_ = "messages"
        id = PrimaryKey(str)
        conversation_id = Required(str)
        query = Optional(LongStr, autostrip=False)
        inputs = Required(LongStr, autostrip=False)
        answer = Optional(LongStr, autostrip=False)
        status = Required(str)
        error = Optional(LongStr, nullable=True, autostrip=False)
        tokens = Required(int)
        metadata = Required(LongStr, autostrip=False)
        created_at = Required(int, size=64)
        finished_at = Optional(int, size=64)

    class Run(base):
        _table_ = "runs"
        id = PrimaryKey(str)
        task_id = Required(str, unique=True)
        app_id = Required(str)
        version_id = Required(str)
        mode = Required(str)
        subject = Required(str)
        account_id = Optional(str, nullable=True)
        session_id = Required(str)
        status = Required(str)
        inputs = Required(LongStr, autostrip=False)
        query = Optional(LongStr, nullable=True, autostrip=False)
        conversation_id = Optional(str, nullable=True)
        message_id = Optional(str, nullable=True)
        outputs = Optional(LongStr, nullable=True, autostrip=False)
        error = Optional(LongStr, nullable=True, autostrip=False)
        elapsed = Required(float)
        total_tokens = Required(int, size=64)
        total_steps = Required(int)
        exceptions_count = Required(int)
        stop_requested = Required(bool)
        worker = Optional(str)
        lease_until = Required(int, size=64)
        attempts = Required(int)
        resumed_after = Required(int)
        files = Optional(LongStr, nullable=True, autostrip=False)
        created_at = Required(int, size=64)
        started_at = Optional(int, size=64)
        finished_at = Optional(int, size=64)

    class Event(base):
        _table_ = "events"
        run_id = Required(str)
        seq = Required(int)
        payload = Required(LongStr, autostrip=False)
        PrimaryKey(run_id, seq)

    class IdempotencyKey(base):
        _table_ = "idempotency_keys"
        subject = Required(str)
        app_id = Required(str)
        key_hash = Required(str)
        body_hash = Required(str)
        run_id = Required(str)
        created_at = Required(int, size=64)
        PrimaryKey(subject, app_id, key_hash)

    class Audit(base):
        _table_ = "audit"
        id = PrimaryKey(str)
        at = Required(int, size=64)
        event = Required(str)
        actor = Optional(str, nullable=True)
        request_id = Optional(str, nullable=True)
        fields = Required(LongStr, autostrip=False)
