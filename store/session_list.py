"""The sessions of one subject: shown to it, and ended by it."""

from __future__ import annotations

from store import db, sessions, sql
from store.caller import Caller
from store.clock import from_micros, now_micros
from store.sessions import Session

COLUMNS = "id, prefix, client_id, device_label, created_at, last_used_at, expires_at"
LIVE = "FROM sessions WHERE subject = ? AND revoked_at IS NULL AND expires_at > ?"


@db.reads
def page(caller: Caller, page: int, limit: int) -> tuple[list[Session], int]:
    """One page of the caller's live sessions, newest first, and how many there are. Pages count from 1."""
    return _page(caller.subject, caller.session_id, page, limit)


@db.reads
def for_account(account_id: str) -> list[Session]:
    """The newest 200 live sessions of an account, for its page of devices."""
    return _page(f"account:{account_id}", "", 1, 200)[0]


def _page(subject: str, current_id: str, page: int, limit: int) -> tuple[list[Session], int]:
    now = now_micros()
    counted = sql.row("SELECT COUNT(*) " + LIVE, subject, now)
    total, offset = int(counted[0]) if counted else 0, (page - 1) * limit
    if offset >= total:
        return [], total
    statement = f"SELECT {COLUMNS} {LIVE} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
    return [_session(one, current_id) for one in sql.rows(statement, subject, now, limit, offset)], total


def _session(found: sql.Row, current_id: str) -> Session:
    used = None if found[5] is None else from_micros(found[5])
    times = (from_micros(found[4]), used, from_micros(found[6]))
    return Session(found[0], found[1], found[2], found[3], *times, current=found[0] == current_id)


def revoke(caller: Caller, session_id: str) -> bool:
    """End one of the caller's own sessions; again is no error. False for unknown and for somebody else's
    alike."""
    return _revoke(caller.subject, session_id)


def revoke_for_account(account_id: str, session_id: str) -> bool:
    """As ``revoke``, for the account signed in on the pages."""
    return _revoke(f"account:{account_id}", session_id)


def _revoke(subject: str, session_id: str) -> bool:
    wanted = sql.uuid_or_none(session_id)
    owned = _store_revocation(subject, wanted) if wanted else False
    sessions.forget()  # after the commit: an answer read before it is not put back (see the cache's epoch)
    return owned


@db.writes
def _store_revocation(subject: str, session_id: str) -> bool:
    sql.change(
        "UPDATE sessions SET revoked_at = ?, token_hash = NULL WHERE id = ? AND subject = ? AND revoked_at IS NULL",
        now_micros(),
        session_id,
        subject,
    )
    return sql.row("SELECT 1 FROM sessions WHERE id = ? AND subject = ?", session_id, subject) is not None


def revoke_all(account_id: str) -> int:
    """End every session of an account; out: how many were live."""
    ended = _store_revocations(account_id)
    sessions.forget()
    return ended


@db.writes
def _store_revocations(account_id: str) -> int:
    statement = "UPDATE sessions SET revoked_at = ?, token_hash = NULL WHERE account_id = ? AND revoked_at IS NULL"
    return sql.change(statement, now_micros(), account_id)
