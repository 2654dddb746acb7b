"""Page sign-ins: an opaque cookie per browser, kept as SHA-256, good for twelve hours.

The anti-forgery token of a cookie is derived from its plain value, so it needs no storage and cannot be
computed from what is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

from store import accounts, db, revocations, sql
from store.caller import ACCOUNT_SCOPES, Caller
from store.clock import MICROSECOND, current, current_ids, now_micros

NAME = "difyspec_session"
SECURE = "__Host-"  # before the name where people come by https
LIFETIME = timedelta(hours=12)


@db.writes
def open(account_id: str) -> str:
    """Sign the account in on a browser; out: the plain cookie value, shown only here."""
    cookie, now = current_ids().token(32), now_micros()
    sql.change("DELETE FROM cookies WHERE expires_at <= ?", now)
    db.entity("Cookie")(
        cookie_hash=sql.sha256(cookie),
        account_id=account_id,
        created_at=now,
        expires_at=now + LIFETIME // MICROSECOND,
    )
    return cookie


@db.reads
def resolve(cookie: str) -> tuple[accounts.Account, str] | None:
    """The active account signed in with this cookie and its anti-forgery token; None when unknown, expired or
    inactive."""
    if not 20 <= len(cookie) <= 200:
        return None
    found = sql.row(
        "SELECT a.id FROM cookies c JOIN accounts a ON a.id = c.account_id"
        " WHERE c.cookie_hash = ? AND c.expires_at > ? AND a.status = 'active'",
        sql.sha256(cookie),
        now_micros(),
    )
    account = accounts.get(found[0]) if found else None
    return (account, csrf_token(cookie)) if account else None


def csrf_token(cookie: str) -> str:
    """The anti-forgery token that belongs to a cookie (64 hexadecimal digits)."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"difyspec page form", hashlib.sha256).hexdigest()


def caller(account: accounts.Account, cookie: str = "") -> Caller:
    """Who a signed-in page speaks for: the account, with everything it may do, while ``cookie`` is live."""
    return Caller(
        subject_type="account",
        account_id=account.id,
        email=account.email,
        issuer=None,
        name=account.name,
        session_id="",
        client_id="pages",
        scopes=ACCOUNT_SCOPES,
        expires_at=current().now() + LIFETIME,
        cookie_hash=sql.sha256(cookie) if cookie else "",
    )


@revocations.told
@db.writes
def close(cookie: str) -> None:
    """Sign this browser out; a cookie nobody knows is no error."""
    sql.change("DELETE FROM cookies WHERE cookie_hash = ?", sql.sha256(cookie))


@db.writes
def close_all(account_id: str) -> None:
    """Sign the account out of every browser."""
    sql.change("DELETE FROM cookies WHERE account_id = ?", account_id)
