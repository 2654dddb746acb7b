"""What a run leaves or waits for: files, forms, checkpoints."""

from __future__ import annotations

from typing import Any

from pony.orm import LongStr, Optional, PrimaryKey, Required


def declare(base: Any) -> None:
    """Define the entities on ``base``, the ``Entity`` of a database."""

    class StoredFile(base):
        _table_ = "files"
        id = PrimaryKey(str)
        app_id = Required(str)
        workspace_id = Required(str)
        subject = Required(str)
        created_by = Required(str)
        origin = Required(str)
        name = Required(str, autostrip=False)
        extension = Optional(str)
        mime_type = Required(str)
        size = Required(int, size=64)
        created_at = Required(int, size=64)
        expires_at = Optional(int, size=64)

    class Form(base):
        _table_ = "forms"
        id = PrimaryKey(str)
        run_id = Required(str)
        app_id = Required(str)
        execution_id = Required(str)
        node_id = Required(str)
        token_hash = Optional(str, nullable=True, unique=True)
        status = Required(str)
        definition = Required(LongStr, autostrip=False)
        answer = Optional(LongStr, nullable=True, autostrip=False)
        answered_by = Optional(str, nullable=True)
        created_at = Required(int, size=64)
        expires_at = Required(int, size=64)
        decided_at = Optional(int, size=64)

    class Mail(base):
        _table_ = "mails"
        token_hash = PrimaryKey(str)
        form_id = Required(str)
        address = Required(str)
        subject = Required(str)
        body = Required(LongStr, autostrip=False)
        status = Required(str)
        attempts = Required(int)
        due_at = Required(int, size=64)

    class Checkpoint(base):
        _table_ = "checkpoints"
        run_id = PrimaryKey(str)
        seq = Required(int)
        sealed = Required(LongStr, autostrip=False)
        created_at = Required(int, size=64)
