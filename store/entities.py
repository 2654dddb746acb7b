"""The mapping: every table as a Pony entity, column for column what the migrations create.

``declare`` makes the classes anew for each opened store, because Pony keeps generated SQL in them and that
SQL belongs to one kind of database. Foreign keys are plain columns here: the database enforces them, and
nothing loads lazily.
"""

from __future__ import annotations

from typing import Any

from pony.orm import Database, LongStr, Optional, PrimaryKey, Required


def declare(db: Database) -> None:
    """Define every entity on ``db`` (before ``generate_mapping``)."""
    _declare_people(db.Entity)
    _declare_sign_in(db.Entity)
    _declare_apps(db.Entity)
    _declare_runs(db.Entity)
    _declare_files(db.Entity)
    _declare_forms(db.Entity)
    _declare_datasets(db.Entity)


def _declare_people(base: Any) -> None:
    class Account(base):
        _table_ = "accounts"
        id = PrimaryKey(str)
        email = Required(str)
        email_key = Required(str, unique=True)
        name = Required(str)
        password_hash = Optional(str, nullable=True)
        status = Required(str)
        created_at = Required(int, size=64)

    class Cookie(base):
        _table_ = "cookies"
        cookie_hash = PrimaryKey(str)
        account_id = Required(str)
        created_at = Required(int, size=64)
        expires_at = Required(int, size=64)

    class Workspace(base):
        _table_ = "workspaces"
        id = PrimaryKey(str)
        name = Required(str)
        status = Required(str)
        created_at = Required(int, size=64)

    class Membership(base):
        _table_ = "memberships"
        workspace_id = Required(str)
        account_id = Required(str)
        role = Required(str)
        is_current = Required(bool)
        created_at = Required(int, size=64)
        PrimaryKey(workspace_id, account_id)


def _declare_sign_in(base: Any) -> None:
    class Session(base):
        _table_ = "sessions"
        id = PrimaryKey(str)
        token_hash = Optional(str, nullable=True, unique=True)
        prefix = Required(str)
        subject = Required(str)
        account_id = Optional(str, nullable=True)
        email = Required(str)
        issuer = Required(str)
        client_id = Required(str)
        device_label = Required(str)
        created_at = Required(int, size=64)
        last_used_at = Optional(int, size=64)
        expires_at = Required(int, size=64)
        revoked_at = Optional(int, size=64)

    class DeviceFlow(base):
        _table_ = "device_flows"
        device_hash = PrimaryKey(str)
        user_hash = Required(str, unique=True)
        client_id = Required(str)
        device_label = Required(str)
        address = Optional(str)
        status = Required(str)
        account_id = Optional(str, nullable=True)
        interval_s = Required(int)
        last_poll_at = Optional(int, size=64)
        created_at = Required(int, size=64)
        expires_at = Required(int, size=64)


def _declare_apps(base: Any) -> None:
    class App(base):
        _table_ = "apps"
        id = PrimaryKey(str)
        workspace_id = Required(str)
        author_id = Optional(str, nullable=True)
        name = Required(str, autostrip=False)
        name_key = Required(str, autostrip=False)
        mode = Required(str)
        description = Optional(LongStr, autostrip=False)
        icon_type = Optional(str, nullable=True)
        icon = Optional(str, nullable=True)
        icon_background = Optional(str, nullable=True)
        status = Required(str)
        enable_api = Required(bool)
        access_mode = Required(str)
        published_id = Optional(str, nullable=True)
        created_at = Required(int, size=64)
        updated_at = Required(int, size=64)

    class Version(base):
        _table_ = "versions"
        id = PrimaryKey(str)
        app_id = Required(str)
        is_draft = Required(bool)
        definition = Required(LongStr, autostrip=False)
        source = Optional(LongStr, autostrip=False)
        created_at = Required(int, size=64)

    class AppTag(base):
        _table_ = "app_tags"
        app_id = Required(str)
        name = Required(str, autostrip=False)
        position = Required(int)
        PrimaryKey(app_id, name)

    class AppGrant(base):
        _table_ = "app_grants"
        app_id = Required(str)
        email_key = Required(str)
        PrimaryKey(app_id, email_key)

    class ToolProvider(base):
        _table_ = "tool_providers"
        id = PrimaryKey(str)
        workspace_id = Required(str)
        name = Required(str, autostrip=False)
        name_key = Required(str, autostrip=False)
        definition = Required(LongStr, autostrip=False)
        source = Optional(LongStr, autostrip=False)
        sealed_credential = Optional(LongStr, nullable=True)
        created_at = Required(int, size=64)
        updated_at = Required(int, size=64)


def _declare_runs(base: Any) -> None:
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

    class Audit(base):
        _table_ = "audit"
        id = PrimaryKey(str)
        at = Required(int, size=64)
        event = Required(str)
        actor = Optional(str, nullable=True)
        request_id = Optional(str, nullable=True)
        fields = Required(LongStr, autostrip=False)


def _declare_files(base: Any) -> None:
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


def _declare_forms(base: Any) -> None:
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

    class Checkpoint(base):
        _table_ = "checkpoints"
        run_id = PrimaryKey(str)
        seq = Required(int)
        sealed = Required(LongStr, autostrip=False)
        created_at = Required(int, size=64)


def _declare_datasets(base: Any) -> None:
    class Dataset(base):
        _table_ = "datasets"
        id = PrimaryKey(str)
        workspace_id = Required(str)
        name = Required(str, autostrip=False)
        name_key = Required(str, autostrip=False)
        description = Optional(str, autostrip=False)
        created_at = Required(int, size=64)

    class DatasetAlias(base):
        _table_ = "dataset_aliases"
        workspace_id = Required(str)
        alias = Required(str, autostrip=False)
        dataset_id = Required(str)
        PrimaryKey(workspace_id, alias)

    class Document(base):
        _table_ = "documents"
        id = PrimaryKey(str)
        dataset_id = Required(str)
        name = Required(str, autostrip=False)
        segment_count = Required(int)
        word_count = Required(int)
        created_at = Required(int, size=64)

    class Segment(base):
        _table_ = "segments"
        id = PrimaryKey(str)
        dataset_id = Required(str)
        document_id = Required(str)
        position = Required(int)
        content = Required(LongStr, autostrip=False)
        words = Optional(LongStr, autostrip=False)
        word_count = Required(int)
