"""Mails that bring the link of a form: an outbox, written with the form and emptied by whichever process comes first.

A mail is tried again until it is taken or refused, or its form is closed: a mail server may be away for as long as the
form waits. A process that dies between sending it and saying so sends it twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from store import db, sql
from store.clock import now_micros

FIRST_WAIT, LONGEST_WAIT = 30_000_000, 1_800_000_000  # microseconds; each wait is twice the one before


@dataclass(frozen=True, slots=True)
class MailDraft:
    """One mail of a form that is about to be asked; ``body`` has its link left out (see `engine.forms.mails`)."""

    address: str
    token_hash: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to send."""

    token_hash: str
    form_id: str
    address: str
    subject: str
    body: str
    attempts: int


def insert(form_id: str, drafts: Iterable[MailDraft]) -> None:
    """Store mails, within the caller's transaction; those stored before stay as they are."""
    for draft in drafts:
        sql.change(
            "INSERT INTO mails (token_hash, form_id, address, subject, body, status, attempts, due_at)"
            " VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?) ON CONFLICT (token_hash) DO NOTHING",
            draft.token_hash, form_id, sql.text(draft.address), sql.text(draft.subject), sql.text(draft.body),
            now_micros(),
        )  # fmt: skip


@db.writes
def claim(limit: int = 20) -> list[Mail]:
    """Mails that this process is to send now, in turns of those whose runs ask; nobody else is told of them until their
    next attempt is due.

    Those of forms that can no longer be answered are let go.
    """
    now = now_micros()
    sql.change(
        "UPDATE mails SET status = 'late' WHERE status = 'waiting' AND due_at <= ?"
        " AND EXISTS (SELECT 1 FROM forms f WHERE f.id = mails.form_id"
        " AND (f.status <> 'waiting' OR f.expires_at <= ?))",
        now,
        now,
    )
    found = sql.rows(
        "SELECT m.token_hash, m.form_id, m.address, m.subject, m.body, m.attempts FROM mails AS m"
        " JOIN forms AS f ON f.id = m.form_id JOIN runs AS r ON r.id = f.run_id"
        " WHERE m.status = 'waiting' AND m.due_at <= ?"
        " ORDER BY ROW_NUMBER() OVER (PARTITION BY r.subject ORDER BY m.due_at, m.token_hash), m.due_at, m.token_hash"
        " LIMIT ?",
        now,
        limit,
    )
    statement = (
        "UPDATE mails SET attempts = attempts + 1, due_at = ? WHERE token_hash = ? AND status = 'waiting'"
        " AND attempts = ?"
    )
    mails = [Mail(*one) for one in found]
    return [one for one in mails if sql.change(statement, now + _wait(one), one.token_hash, one.attempts) == 1]


@db.writes
def settle(token_hash: str, status: str) -> None:
    """Say that a mail is ``sent`` or has ``failed`` for good; a settled one stays as it is."""
    sql.change("UPDATE mails SET status = ? WHERE token_hash = ? AND status = 'waiting'", status, token_hash)


@db.reads
def sent_to(token_hash: str) -> tuple[str, str] | None:
    """The form that a mail's link opens, and the address it was sent to."""
    found = sql.row("SELECT form_id, address FROM mails WHERE token_hash = ?", token_hash)
    return (found[0], found[1]) if found else None


def _wait(mail: Mail) -> int:
    return min(FIRST_WAIT * 2 ** min(mail.attempts, 10), LONGEST_WAIT)
