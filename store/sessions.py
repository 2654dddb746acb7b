"""Sessions: one row per issued token. The token is shown once, at minting, and kept as SHA-256 only.

Here tokens are issued and recognised; `store.session_list` shows sessions to their owners and ends them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from store import db, patience, revocations, sql
from store.caller import ACCOUNT_SCOPES, EXTERNAL_SCOPES, Caller
from store.clock import MICROSECOND, current, current_ids, from_micros, now_micros
from store.refusal import Refusal
from store.session_cache import SessionCache

ACCOUNT_ISSUER = "dify:account"
ACCOUNT_PREFIX = "dfoa_"
EXTERNAL_PREFIX = "dfoe_"
TOUCH_EVERY = timedelta(minutes=1) // MICROSECOND

_cache = SessionCache(lifetime_s=1.0, known=10_000, unknown=256)


@dataclass(frozen=True, slots=True)
class Session:
    """A live session as its owner sees it; ``current`` marks the one that asked."""

    id: str
    prefix: str
    client_id: str
    device_label: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    current: bool


def mint(
    *,
    account_id: str | None,
    email: str,
    issuer: str | None,
    client_id: str,
    device_label: str,
    ttl: timedelta,
) -> tuple[str, Session]:
    """Issue a token, ending the subject's live session of the same client and label.

    In: an account id, or None for an external subject with an issuer. Out: the plain token and its session.
    Errors: ``invalid_param`` for an external subject without issuer, or with a colon in its address;
    ``account_inactive``.
    """
    made = mint_in_transaction(account_id, email, issuer, client_id, device_label, ttl)
    forget()  # the token of the same device that this one replaced
    return made


@db.writes
def mint_in_transaction(
    account_id: str | None, email: str, issuer: str | None, client_id: str, device_label: str, ttl: timedelta
) -> tuple[str, Session]:
    """``mint`` as a part of a larger transaction, after whose commit the caller calls ``forget``."""
    if account_id is None and not issuer:
        raise Refusal("invalid_param", "an external subject needs an issuer")
    if account_id is not None and not sql.row("SELECT 1 FROM accounts WHERE id = ? AND status = 'active'", account_id):
        raise Refusal("account_inactive")
    mail = sql.text(email).strip()
    if account_id is None and ":" in mail:
        # It would be read as a part of the issuer: `https://id` with `443:a@x` is not `https://id:443` with `a@x`.
        raise Refusal("invalid_param", "an external subject's e-mail address has no colon")
    issued_by = ACCOUNT_ISSUER if account_id else sql.text(issuer or "")
    subject = f"account:{account_id}" if account_id else f"external:{issued_by}:{mail.lower()}"
    mail = mail if account_id else mail.lower()
    label, now = sql.text(device_label), now_micros()
    # Without this, two first sign-ins from one device would both find nothing to rotate and collide on the
    # index.
    sql.serialise(f"session {subject} {client_id} {label}")
    sql.change(
        "UPDATE sessions SET revoked_at = ?, token_hash = NULL"
        " WHERE subject = ? AND client_id = ? AND device_label = ? AND revoked_at IS NULL",
        now,
        subject,
        client_id,
        label,
    )
    prefix = ACCOUNT_PREFIX if account_id else EXTERNAL_PREFIX
    token, session_id, expires = (
        prefix + current_ids().token(32),
        current_ids().uuid7(),
        now + ttl // MICROSECOND,
    )
    sql.change(
        "INSERT INTO sessions (id, token_hash, prefix, subject, account_id, email, issuer, client_id,"
        " device_label,"
        " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        session_id,
        sql.sha256(token),
        prefix,
        subject,
        account_id,
        mail,
        issued_by,
        client_id,
        label,
        now,
        expires,
    )
    return token, Session(session_id, prefix, client_id, label, from_micros(now), None, from_micros(expires), False)


def resolve(token: str) -> Caller | None:
    """Who a token speaks for; None when it is unknown, revoked, expired, or its account is not active.

    Answers may be up to one second old, except that expiry is compared on every call and a revocation in this
    process counts at once. RFC 6750 §3.1 ``invalid_token`` is the caller's answer to None.
    """
    known, caller = remembered(token)
    if known:
        return caller
    key, clock = sql.sha256(token), current()
    epoch = _cache.epoch
    caller = _load(key)
    if caller is not None and caller.expires_at <= clock.now():
        with suppress(db.Away), patience.hurried():
            _expire(key)
        return None
    _cache.put(key, caller, clock.monotonic(), epoch)
    return caller


def remembered(token: str) -> tuple[bool, Caller | None]:
    """``resolve`` as far as it needs no database: (True, answer), or (False, None) when it must be looked up.

    Safe to call on an event loop.
    """
    if not token.startswith((ACCOUNT_PREFIX, EXTERNAL_PREFIX)) or len(token) > 128:
        return True, None
    clock = current()
    known, caller = _cache.get(sql.sha256(token), clock.monotonic())
    if known and caller is not None and caller.expires_at <= clock.now():
        return False, None
    return known, caller


@db.reads
def _read(key: str) -> sql.Row | None:
    return sql.row(
        "SELECT s.account_id, COALESCE(a.email, s.email), s.issuer, COALESCE(a.name, s.email), s.id,"
        " s.client_id,"
        " s.expires_at, s.last_used_at, a.status FROM sessions s LEFT JOIN accounts a ON a.id = s.account_id"
        " WHERE s.token_hash = ? AND s.revoked_at IS NULL",
        key,
    )


def _load(key: str) -> Caller | None:
    found = _read(key)
    if found is None or (found[0] is not None and found[8] != "active"):
        return None
    now = now_micros()
    if found[6] > now and (found[7] is None or now - found[7] >= TOUCH_EVERY):
        # Who only reads is not to wait for those who write; the next reading notes it.
        with suppress(db.Away), patience.hurried():
            _touch(found[4], now)
    account_id = found[0]
    return Caller(
        subject_type="account" if account_id else "external_sso",
        account_id=account_id,
        email=found[1],
        issuer=found[2],
        name=found[3],
        session_id=found[4],
        client_id=found[5],
        scopes=ACCOUNT_SCOPES if account_id else EXTERNAL_SCOPES,
        expires_at=from_micros(found[6]),
    )


@db.writes
def _touch(session_id: str, now: int) -> None:
    statement = "UPDATE sessions SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)"
    sql.change(statement, now, session_id, now)


@db.writes
def _expire(key: str) -> None:
    """Revoke what was presented after its time, so that a clock set back cannot revive it."""
    now = now_micros()
    statement = "UPDATE sessions SET revoked_at = ?, token_hash = NULL WHERE token_hash = ? AND expires_at <= ?"
    sql.change(statement, now, key, now)
    _cache.clear()


def forget() -> None:
    """Empty the cache of resolved tokens (after the commit that made an answer in it wrong), and tell it on."""
    _cache.clear()
    revocations.tell()
