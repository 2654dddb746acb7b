"""Files: who may read which, and until when it is kept. The bytes themselves are in ``store.file_bytes``."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from store import access, db, sql
from store.access import Access
from store.app_row import App
from store.clock import from_micros, now_micros

COLUMNS = "id, app_id, workspace_id, subject, created_by, origin, name, extension, mime_type, size, created_at"
OVER = "expires_at <= ? OR app_id IN (SELECT id FROM apps WHERE status = 'deleted' AND updated_at <= ?)"
RUNS_END = timedelta(days=1)  # after which no run of a deleted app is still going
MICROSECOND = timedelta(microseconds=1)


class FileGone(Exception):
    """A file that was to be used is not there any more, or not as it was; the transaction is undone."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file. ``extension`` is in lower case without a dot, ``size`` in bytes, ``origin`` upload or run."""

    id: str
    app_id: str
    workspace_id: str
    subject: str
    created_by: str
    origin: str
    name: str
    extension: str
    mime_type: str
    size: int
    created_at: datetime


class Owner(Protocol):
    """Whose files they are: a caller, or a run on behalf of who started it."""

    @property
    def subject(self) -> str:
        """The key of `store.caller.Caller.subject`."""


class Uploader(Owner, Protocol):
    """An owner with a name for ``created_by``."""

    @property
    def account_id(self) -> str | None:
        """The account, if it is one."""

    @property
    def session_id(self) -> str:
        """The session, of those who are none."""


@db.writes
def create(
    file_id: str,
    app: App,
    caller: Uploader,
    *,
    origin: str,
    name: str,
    extension: str,
    mime_type: str,
    size: int,
    kept_for: timedelta | None = None,
    held: Access | None = None,
) -> StoredFile:
    """Enter a file whose bytes are stored already; it belongs to the caller, for this app.

    ``kept_for``: how long it is kept unless a run uses it; None for good. ``held``: what the caller was let in by; an
    upload takes its time, and where this is gone meanwhile, it is refused as a new request would be.
    """
    if held is not None and (lost := access.refusal(held)):
        raise lost
    now = now_micros()
    sql.change(
        f"INSERT INTO files ({COLUMNS}, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        file_id,
        app.id,
        app.workspace_id,
        caller.subject,
        caller.account_id or caller.session_id,
        origin,
        sql.text(name),
        sql.text(extension),
        sql.text(mime_type),
        size,
        now,
        None if kept_for is None else now + kept_for // MICROSECOND,
    )
    made = _get(file_id)
    if made is None:
        raise RuntimeError("a file that was just stored cannot be read")
    return made


@db.reads
def visible(owner: Owner, app_id: str, file_id: str) -> StoredFile | None:
    """The owner's own file of this app; None for absent, expired, somebody else's and another app's alike."""
    wanted, app = sql.uuid_or_none(file_id), sql.uuid_or_none(app_id)
    if wanted is None or app is None:
        return None
    return _file(
        sql.row(
            f"SELECT {COLUMNS} FROM files WHERE id = ? AND app_id = ? AND subject = ?"
            " AND (expires_at IS NULL OR expires_at > ?)",
            wanted,
            app,
            owner.subject,
            now_micros(),
        )
    )


@db.reads
def for_link(file_id: str) -> StoredFile | None:
    """A file by id, for whoever has shown a valid signature for this very id; never for anybody else."""
    return _get(file_id)


@db.writes
def keep(owner: Owner, app_id: str, file_ids: Iterable[str], kept_for: timedelta | None = None) -> bool:
    """Keep the owner's files because a run uses them; False if one is gone (then none is changed).

    A file that is being swept away at this moment is either kept or gone, never half of each.
    """
    wanted = sorted(set(file_ids))
    now = now_micros()
    until = None if kept_for is None else now + kept_for // MICROSECOND
    for file_id in wanted:
        if not sql.locked(
            "SELECT id FROM files WHERE id = ? AND app_id = ? AND subject = ?"
            " AND (expires_at IS NULL OR expires_at > ?)",
            file_id, app_id, owner.subject, now,
        ):  # fmt: skip
            return False
    for file_id in wanted:
        sql.change("UPDATE files SET expires_at = ? WHERE id = ?", until, file_id)
    return True


@db.writes
def hand_over(
    giver: Owner, owner: Owner, app_id: str, file_ids: Iterable[str], unused_for: timedelta, kept_for: timedelta | None
) -> None:
    """Give uploads to another owner, whose run uses them. FileGone, and nothing is given, unless each is an upload
    of the giver's that no run has used yet (it waits as long as ``unused_for``).
    """
    now = now_micros()
    for file_id in sorted(set(file_ids)):
        given = sql.change(
            "UPDATE files SET subject = ?, expires_at = ? WHERE id = ? AND app_id = ? AND subject = ?"
            " AND origin = 'upload' AND expires_at > ? AND expires_at <= created_at + ?",
            owner.subject, None if kept_for is None else now + kept_for // MICROSECOND,
            file_id, app_id, giver.subject, now, unused_for // MICROSECOND,
        )  # fmt: skip
        if given != 1:
            raise FileGone


@db.writes
def remove(file_ids: Iterable[str]) -> None:
    """Take files out that nothing refers to; their bytes are another matter."""
    for file_id in file_ids:
        sql.change("DELETE FROM files WHERE id = ?", file_id)


@db.reads
def unused_bytes(owner: Owner, waiting: timedelta) -> int:
    """How much the owner's uploads take that no run has used yet, and that wait as long as ``waiting``."""
    statement = (
        "SELECT COALESCE(SUM(size), 0) FROM files WHERE subject = ? AND expires_at > ? AND origin = 'upload'"
        " AND expires_at <= created_at + ?"
    )
    found = sql.row(statement, owner.subject, now_micros(), waiting // MICROSECOND)
    return int(found[0]) if found else 0


@db.reads
def expired(limit: int = 500) -> list[str]:
    """Ids of files whose time is over, or whose app was deleted a day ago."""
    statement = f"SELECT id FROM files WHERE {OVER} LIMIT ?"
    return [found[0] for found in sql.rows(statement, *_over(), limit)]


@db.writes
def remove_expired(file_id: str) -> bool:
    """Take a file out if its time is still over; False if a run has taken it into use meanwhile."""
    return sql.change(f"DELETE FROM files WHERE id = ? AND ({OVER})", file_id, *_over()) == 1


@db.reads
def known(file_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are files: for the sweep of bytes that belong to nothing."""
    marks = ", ".join("?" * len(file_ids))
    return {found[0] for found in sql.rows(f"SELECT id FROM files WHERE id IN ({marks})", *file_ids)}


def _over() -> tuple[int, int]:
    now = now_micros()
    return now, now - RUNS_END // MICROSECOND


def _get(file_id: str) -> StoredFile | None:
    return _file(sql.row(f"SELECT {COLUMNS} FROM files WHERE id = ?", sql.uuid_or_none(file_id)))


def _file(found: sql.Row | None) -> StoredFile | None:
    return None if found is None else StoredFile(*sql.converted(found, {10: from_micros}))
