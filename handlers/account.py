"""Tag ``account``: who am I, and where am I signed in."""

from __future__ import annotations

from typing import Any

import store.session_list
import store.workspaces
from handlers import paging
from store.caller import Caller
from store.clock import rfc3339
from store.refusal import Refusal
from store.sessions import Session


def identity(account_id: str | None, email: str, name: str) -> dict[str, Any]:
    """The members that tell an account and its workspaces; all empty for an external subject."""
    if account_id is None:
        return {"account": None, "workspaces": [], "default_workspace_id": None}
    rows = store.workspaces.of(account_id)
    return {
        "account": {"id": account_id, "email": email, "name": name},
        "workspaces": [{"id": row.id, "name": row.name, "role": row.role} for row in rows],
        "default_workspace_id": store.workspaces.default_of(rows),
    }


def get_account(user: Caller) -> dict[str, Any]:
    """Operation ``getAccount``."""
    return {
        "subject_type": user.subject_type,
        "subject_email": user.email,
        "subject_issuer": user.issuer if user.account_id is None else None,
        **identity(user.account_id, user.email, user.name),
    }


def list_sessions(user: Caller, page: int = 1, limit: int = 100) -> dict[str, Any]:
    """Operation ``listSessions``: the caller's own live sessions, newest first."""
    rows, total = store.session_list.page(user, page, limit)
    return paging.envelope([_row(row) for row in rows], total, page, limit)


def revoke_own_session(user: Caller) -> dict[str, Any]:
    """Operation ``revokeOwnSession``: the token that asks is dead when the answer arrives."""
    store.session_list.revoke(user, user.session_id)
    return {"status": "revoked"}


def revoke_session(user: Caller, session_id: str) -> dict[str, Any]:
    """Operation ``revokeSession``: idempotent. Raises ``not_found`` for absent and for other people's sessions."""
    if not store.session_list.revoke(user, session_id):
        raise Refusal("not_found", "Session not found.")
    return {"status": "revoked"}


def _row(row: Session) -> dict[str, Any]:
    return {
        "id": row.id,
        "prefix": row.prefix,
        "client_id": row.client_id,
        "device_label": row.device_label,
        "created_at": rfc3339(row.created_at),
        "last_used_at": rfc3339(row.last_used_at) if row.last_used_at else None,
        "expires_at": rfc3339(row.expires_at),
        "current": row.current,
    }
