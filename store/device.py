"""The device authorisation flow (RFC 8628): codes, the person's answer, and the collection of the token.

Both codes are kept as SHA-256. The token is made in the transaction that marks the flow collected, never
earlier.
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from store import accounts, audit, db, networks, sessions, sql
from store.clock import current_ids, from_micros, now_micros
from store.moves import Machine
from store.refusal import OAuthRefusal, Refusal

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXY3456789"
SECOND = 1_000_000
KEEP = 3600 * SECOND
SLOWER_BY_S = 5

MOVES = Machine(
    table="device_flows",
    key="device_hash",
    moves={
        "pending": frozenset({"approved", "denied", "expired"}),
        "approved": frozenset({"collected", "denied", "expired"}),
        "denied": frozenset(),
        "collected": frozenset(),
        "expired": frozenset(),
    },
)


@dataclass(frozen=True, slots=True)
class DeviceStart:
    """What the device is told; the only place where both codes appear in the clear. Times in seconds."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class DeviceFlow:
    """What a person is shown before answering; ``status`` is pending, approved, denied or collected."""

    user_code: str
    client_id: str
    device_label: str
    address: str
    status: str
    requested_at: datetime
    expires_in_remaining: int


def normalise(user_code: str) -> str:
    """A user code as typed (any case, spaces, no hyphen, full-width letters) in its one spelling,
    ``ABCD-EFGH``.

    RFC 8628 §6.1. What cannot be a code comes back in a form that matches none.
    """
    folded = unicodedata.normalize("NFKC", user_code[:64]).upper()
    letters = "".join(letter for letter in folded if letter.isalnum())
    return f"{letters[:4]}-{letters[4:]}"


@db.writes
def start(
    client_id: str, device_label: str, address: str, *, ttl_s: int = 900, interval_s: int = 5, most_open: int = 0
) -> DeviceStart:
    """Begin a flow (RFC 8628 §3.2). In: who asks, under which label, from which address; how many flows may wait at
    one time (0: any number). Errors: ``service_unavailable``."""
    now = now_micros()
    sql.change("DELETE FROM device_flows WHERE expires_at < ?", now - KEEP)
    if most_open:
        _make_room(most_open, now, networks.network(address))
    device_code = "dc_" + current_ids().token(24)
    for _ in range(5):
        letters = current_ids().pick(ALPHABET, 8)
        user_code = f"{letters[:4]}-{letters[4:]}"
        # DO NOTHING: a code that another flow holds is simply drawn again, whatever database and however many
        # racers
        if sql.change(
            "INSERT INTO device_flows (device_hash, user_hash, client_id, device_label, address, status,"
            " interval_s,"
            " created_at, expires_at) VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING",
            sql.sha256(device_code),
            sql.sha256(user_code),
            client_id,
            sql.text(device_label),
            sql.text(address),
            interval_s,
            now,
            now + ttl_s * SECOND,
        ):
            return DeviceStart(device_code, user_code, ttl_s, interval_s)
    raise Refusal("service_unavailable", "no user code is free right now; try again")


def _make_room(most_open: int, now: int, around: str) -> None:
    """Whoever asks for a code is nobody yet: all of them together must not fill the database, and a few networks must
    not take all there is. Where as many wait as may, the network with the most waiting codes loses its oldest, unless
    that is no more than the newcomer's will have. Errors: ``service_unavailable``.
    """
    pending = "FROM device_flows WHERE expires_at > ? AND status = 'pending'"
    waiting = sql.row(f"SELECT COUNT(*) {pending}", now)
    if not waiting or waiting[0] < most_open:
        return
    by_network: Counter[str] = Counter()
    oldest: dict[str, tuple[int, str]] = {}  # of each network: when its oldest code was made, and for which address
    for address, count, created in sql.rows(
        f"SELECT address, COUNT(*), MIN(created_at) {pending} GROUP BY address", now
    ):
        network = networks.network(address)
        by_network[network] += count
        oldest[network] = min(oldest.get(network, (created, address)), (created, address))
    most, count = by_network.most_common(1)[0]
    if count <= by_network[around] + 1:
        told = "too many devices wait for an answer; try again"
        raise Refusal("service_unavailable", told, headers={"Retry-After": "60"})
    first = f"SELECT device_hash {pending} AND address = ? ORDER BY created_at, device_hash LIMIT 1"
    sql.change(f"DELETE FROM device_flows WHERE device_hash = ({first})", now, oldest[most][1])


@db.reads
def lookup(user_code: str) -> DeviceFlow | None:
    """The flow a user code belongs to, with the seconds it has left; None when unknown or expired."""
    code, now = normalise(user_code), now_micros()
    found = sql.row(
        "SELECT client_id, device_label, address, status, created_at, expires_at FROM device_flows"
        " WHERE user_hash = ? AND expires_at > ? AND status <> 'expired'",
        sql.sha256(code),
        now,
    )
    if found is None:
        return None
    remaining_s = -((now - found[5]) // SECOND)  # rounded up
    return DeviceFlow(code, found[0], found[1], found[2], found[3], from_micros(found[4]), remaining_s)


def approve(user_code: str, account_id: str) -> None:
    """Let the device sign in as this account. Errors: ``not_found`` (unknown or expired),
    ``already_resolved``."""
    _answer(user_code, account_id, "approved")


def deny(user_code: str, account_id: str) -> None:
    """Refuse the device. Errors: ``not_found`` (unknown or expired), ``already_resolved``."""
    _answer(user_code, account_id, "denied")


@db.writes
def _answer(user_code: str, account_id: str, answer: str) -> None:
    found = sql.locked(
        "SELECT device_hash, expires_at, status FROM device_flows WHERE user_hash = ?",
        sql.sha256(normalise(user_code)),
    )
    if found is None or found[1] <= now_micros() or found[2] == "expired":
        raise Refusal("not_found", "this code is unknown or has expired")
    if found[2] != "pending" or not MOVES.move(found[0], answer, account_id=account_id):
        raise Refusal("already_resolved", "this code has been answered already")


def poll(
    device_code: str, client_id: str, address: str, token_ttl: timedelta
) -> tuple[str, sessions.Session, accounts.Account]:
    """Collect the token of an approved flow, once (RFC 8628 §3.4, §3.5).

    Errors, as ``OAuthRefusal``: ``expired_token`` (unknown, expired, collected), ``invalid_grant`` (another
    client's code; nothing changes), ``slow_down`` with the new ``interval``, ``authorization_pending``,
    ``access_denied``.
    """
    device_hash = sql.sha256(device_code)
    outcome = _poll(device_hash, client_id, address, token_ttl) if _is_known(device_hash) else _gone()
    if isinstance(outcome, OAuthRefusal):
        raise outcome  # out here: raised in the transaction it would undo the longer interval
    sessions.forget()  # the token of the same device that this one replaced
    return outcome


@db.reads
def _is_known(device_hash: str) -> bool:
    """Whether there is such a flow. Asked first, for whoever invents codes must not wait in line with all who write."""
    return sql.row("SELECT 1 FROM device_flows WHERE device_hash = ?", device_hash) is not None


def _gone() -> OAuthRefusal:
    return OAuthRefusal("expired_token", "the device code is unknown, expired or used")


@db.writes
def _poll(
    device_hash: str, client_id: str, address: str, token_ttl: timedelta
) -> tuple[str, sessions.Session, accounts.Account] | OAuthRefusal:
    found = sql.locked(
        "SELECT client_id, status, account_id, device_label, interval_s, last_poll_at, expires_at, address"
        " FROM device_flows WHERE device_hash = ?",
        device_hash,
    )
    if found is None:
        return _gone()
    owner, status, account_id, label, interval_s, last_poll_at, expires_at, started_from = found
    if owner != client_id:
        return OAuthRefusal("invalid_grant", "the device code was issued to another client")
    now = now_micros()
    if expires_at <= now:
        MOVES.move(device_hash, "expired")  # so that a clock set back does not revive it
        return _gone()
    if status in ("collected", "expired"):
        return _gone()
    since = None if last_poll_at is None else now - last_poll_at
    sql.change("UPDATE device_flows SET last_poll_at = ? WHERE device_hash = ?", now, device_hash)
    if since is not None and 0 <= since < interval_s * SECOND:  # below 0 the clock was set back: not the client's fault
        slower = interval_s + SLOWER_BY_S
        sql.change("UPDATE device_flows SET interval_s = ? WHERE device_hash = ?", slower, device_hash)
        return OAuthRefusal("slow_down", f"wait {slower} seconds between polls", extra={"interval": slower})
    if status == "pending":
        return OAuthRefusal("authorization_pending", "nobody has answered yet")
    if status == "denied":
        return OAuthRefusal("access_denied", "the request was denied")
    account = accounts.get(account_id)
    if account is None or account.status != "active":
        MOVES.move(device_hash, "denied")
        return OAuthRefusal("access_denied", "the account is not active")
    if not MOVES.move(device_hash, "collected"):
        return _gone()
    if address != started_from:
        audit.record(
            "device.collected_elsewhere",
            actor=f"account:{account.id}",
            started=started_from,
            collected=address,
        )
    token, session = sessions.mint_in_transaction(account.id, account.email, None, client_id, label, token_ttl)
    return token, session, account
