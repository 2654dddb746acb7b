"""Accounts: people with a password. An e-mail address belongs to one account, whatever its case."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from store import cookies, db, revocations, session_list, sessions, sql
from store.clock import current_ids, from_micros, now_micros
from store.refusal import Refusal

STATUSES = frozenset({"pending", "uninitialized", "active", "banned", "closed"})
COLUMNS = "id, email, name, status, created_at"


@dataclass(frozen=True, slots=True)
class Account:
    """One person. ``status`` is one of ``STATUSES``; only an active account can sign in."""

    id: str
    email: str
    name: str
    status: str
    created_at: datetime


def email_key(email: str) -> str:
    """The form under which an address is unique and looked up."""
    return sql.text(email).strip().casefold()


def create(email: str, name: str, password: str | None = None, status: str = "active") -> Account:
    """Make an account. Errors: ``conflict`` when the address is taken, ``invalid_param`` for an unknown
    status."""
    if status not in STATUSES:
        raise Refusal("invalid_param", f"unknown account status {status!r}: one of {', '.join(sorted(STATUSES))}")
    hashed = None if password is None else _hasher().hash(password)  # slow on purpose, so outside the transaction
    return _insert(sql.text(email).strip(), sql.text(name), hashed, status)


@db.writes
def _insert(email: str, name: str, password_hash: str | None, status: str) -> Account:
    sql.serialise(f"account {email_key(email)}")
    if sql.row("SELECT id FROM accounts WHERE email_key = ?", email_key(email)):
        raise Refusal("conflict", f"an account with the address {email} exists already")
    account_id, now = current_ids().uuid7(), now_micros()
    db.entity("Account")(
        id=account_id,
        email=email,
        email_key=email_key(email),
        name=name,
        password_hash=password_hash,
        status=status,
        created_at=now,
    )
    return Account(account_id, email, name, status, from_micros(now))


@db.reads
def get(account_id: str) -> Account | None:
    """The account with that id, whatever its status; None if there is none."""
    return _account(sql.row(f"SELECT {COLUMNS} FROM accounts WHERE id = ?", sql.uuid_or_none(account_id)))


@db.reads
def by_email(email: str) -> Account | None:
    """The account with that address, in any case of letters; None if there is none."""
    return _account(sql.row(f"SELECT {COLUMNS} FROM accounts WHERE email_key = ?", email_key(email)))


def check_password(email: str, password: str) -> Account | None:
    """The active account if the password is right, else None.

    An unknown address costs the same hash work as a wrong password, so the time of the answer names no
    account.
    """
    found = _credentials(email)
    hashed = found[1] if found and found[1] else _decoy()
    try:
        _hasher().verify(hashed, password)
        right = True
    except (VerificationError, InvalidHashError):
        right = False
    if not (right and found and found[1]):
        return None
    return found[0] if found[0].status == "active" else None


@db.reads
def _credentials(email: str) -> tuple[Account, str | None] | None:
    found = sql.row(f"SELECT {COLUMNS}, password_hash FROM accounts WHERE email_key = ?", email_key(email))
    account = _account(found[:5]) if found else None
    return (account, found[5]) if account and found else None


def set_password(account_id: str, password: str) -> bool:
    """Replace the password and close every page sign-in of the account; False if there is no such account."""
    hashed = _hasher().hash(password)
    changed = _store_password(account_id, hashed)
    revocations.tell()
    return changed


@db.writes
def _store_password(account_id: str, hashed: str) -> bool:
    cookies.close_all(account_id)
    return sql.change("UPDATE accounts SET password_hash = ? WHERE id = ?", hashed, sql.uuid_or_none(account_id)) == 1


def set_status(account_id: str, status: str) -> bool:
    """Set the status; anything but ``active`` also revokes the account's sessions and page sign-ins at once.

    Out: False if there is no such account. Errors: ``invalid_param`` for an unknown status.
    """
    if status not in STATUSES:
        raise Refusal("invalid_param", f"unknown account status {status!r}: one of {', '.join(sorted(STATUSES))}")
    changed = _store_status(account_id, status)
    sessions.forget()
    return changed


@db.writes
def _store_status(account_id: str, status: str) -> bool:
    if status != "active":
        cookies.close_all(account_id)
        session_list.revoke_all(account_id)
    return sql.change("UPDATE accounts SET status = ? WHERE id = ?", status, sql.uuid_or_none(account_id)) == 1


@db.reads
def list_all() -> list[Account]:
    """Every account, oldest first (for the operator's command line)."""
    found = sql.rows(f"SELECT {COLUMNS} FROM accounts ORDER BY created_at, id")
    return [account for account in map(_account, found) if account]


def _account(found: sql.Row | None) -> Account | None:
    return Account(*sql.converted(found, {4: from_micros})) if found else None


def _hasher() -> PasswordHasher:
    return PasswordHasher()


@lru_cache(maxsize=1)
def _decoy() -> str:
    return _hasher().hash("nobody has this password")
