"""Forms of runs that wait for a person: kept with the hash of their token, answered once."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store import db, mails, sql
from store.clock import from_micros, now_micros, to_micros
from store.mails import MailDraft
from store.runs import Run, one

COLUMNS = "id, run_id, app_id, execution_id, node_id, status, definition, answer, answered_by, created_at, expires_at"
ORPHANED = "app_id IN (SELECT id FROM apps WHERE status = 'deleted')"


@dataclass(frozen=True, slots=True)
class Form:
    """One form: ``waiting``, then for good ``submitted``, ``timeout`` or ``expired``. ``definition`` is what is shown,
    as the run saw it; ``answer`` is ``{action, inputs}``.

    ``execution_id`` is the execution of the node that asks: a node in a loop asks with a new one each round.
    """

    id: str
    run_id: str
    app_id: str
    execution_id: str
    node_id: str
    status: str
    definition: dict[str, Any]
    answer: dict[str, Any] | None
    answered_by: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def is_waiting(self) -> bool:
        """Whether it can still be answered, as far as its status says."""
        return self.status == "waiting"


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that a run is about to ask; ``token_hash`` is None when no link in its events may answer it."""

    id: str
    execution_id: str
    node_id: str
    token_hash: str | None
    definition: dict[str, Any]
    created_at: datetime
    expires_at: datetime
    mails: tuple[MailDraft, ...] = ()


@db.reads
def by_token_hash(token_hash: str, app_id: str | None = None) -> Form | None:
    """The form a token opens; None when there is none, when it is not of the app named, or when its app was deleted.

    The tokens of mails are for people only: they open a form where no app is named.
    """
    found = sql.row(f"SELECT {COLUMNS} FROM forms WHERE token_hash = ? AND NOT {ORPHANED}", token_hash)
    if found is None and app_id is None:
        mailed = "id = (SELECT form_id FROM mails WHERE token_hash = ?)"
        found = sql.row(f"SELECT {COLUMNS} FROM forms WHERE {mailed} AND NOT {ORPHANED}", token_hash)
    form = _form(found) if found else None
    return form if form and (app_id is None or form.app_id == sql.uuid_or_none(app_id)) else None


@db.reads
def of_run(run_id: str) -> list[Form]:
    """All forms of a run, oldest first."""
    statement = f"SELECT {COLUMNS} FROM forms WHERE run_id = ? ORDER BY created_at, id"
    return [_form(found) for found in sql.rows(statement, run_id)]


@db.reads
def due(limit_seconds: float, count: int = 100) -> list[Form]:
    """Waiting forms whose own time, or the time any form may wait (``limit_seconds``), is over."""
    now = now_micros()
    statement = (
        f"SELECT {COLUMNS} FROM forms WHERE decided_at IS NULL AND (expires_at <= ? OR created_at <= ?)"
        " ORDER BY expires_at, id LIMIT ?"
    )
    return [_form(found) for found in sql.rows(statement, now, now - round(limit_seconds * 1_000_000), count)]


@db.reads
def orphaned(count: int = 100) -> list[Form]:
    """Waiting forms whose app was deleted."""
    statement = f"SELECT {COLUMNS} FROM forms WHERE decided_at IS NULL AND {ORPHANED} ORDER BY expires_at LIMIT ?"
    return [_form(found) for found in sql.rows(statement, count)]


def is_past(form: Form, limit_seconds: float) -> bool:
    """Whether a form has waited longer than any form may."""
    return to_micros(form.created_at) + round(limit_seconds * 1_000_000) <= now_micros()


@db.writes
def answer(
    form_id: str, given: dict[str, Any], by: str, worker: str, lease_seconds: float, using: Callable[[], None]
) -> tuple[bool, bool]:
    """Take the one answer of a form, and let its run go on, in one transaction.

    In: ``given`` is ``{action, inputs}``, checked; ``by`` says who answered; the run, if it waits, becomes
    ``worker``'s; ``using`` takes the files of the answer into use, and undoes all with what it raises. Out: whether
    this answer was taken (a form past its time takes none), and whether the run goes on with it now (it does not
    when it is at work already, because of another form).
    """
    _hold_run(form_id)
    now = now_micros()
    statement = (
        "UPDATE forms SET status = 'submitted', answer = ?, answered_by = ?, decided_at = ?"
        " WHERE id = ? AND status = 'waiting' AND expires_at > ?"
    )
    if sql.change(statement, sql.to_json(given), sql.text(by), now, form_id, now) != 1:
        return False, False
    using()
    return True, _go_on(form_id, worker, lease_seconds)


@db.writes
def time_out(form_id: str, worker: str, lease_seconds: float) -> bool:
    """Close a form whose time is over and let its run go on; out: whether the run goes on now."""
    _hold_run(form_id)
    now = now_micros()
    statement = (
        "UPDATE forms SET status = 'timeout', decided_at = ? WHERE id = ? AND status = 'waiting' AND expires_at <= ?"
    )
    return sql.change(statement, now, form_id, now) == 1 and _go_on(form_id, worker, lease_seconds)


def insert(run: Run, drafts: list[Draft]) -> None:
    """Store forms, within the caller's transaction; one that the run has asked before stays as it is."""
    for draft in drafts:
        sql.change(
            "INSERT INTO forms (id, run_id, app_id, execution_id, node_id, token_hash, status, definition,"
            " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?)"
            " ON CONFLICT (run_id, execution_id) DO NOTHING",
            draft.id,
            run.id,
            run.app_id,
            draft.execution_id,
            draft.node_id,
            draft.token_hash,
            sql.to_json(draft.definition),
            to_micros(draft.created_at),
            to_micros(draft.expires_at),
        )
        mails.insert(draft.id, draft.mails)


def _hold_run(form_id: str) -> None:
    """Hold the form's run until the transaction ends, before its form: whoever ends the run, or has it wait for this
    very answer, comes before or after, never in between.
    """
    sql.locked("SELECT id FROM runs WHERE id = (SELECT run_id FROM forms WHERE id = ?)", form_id)


def _go_on(form_id: str, worker: str, lease_seconds: float) -> bool:
    """paused → running. The number of the last event says which pause is over."""
    found = sql.row("SELECT run_id FROM forms WHERE id = ?", form_id)
    run = one(found[0]) if found else None
    if run is None:
        return False
    statement = (
        "UPDATE runs SET status = 'running', worker = ?, lease_until = ?, attempts = 0, resumed_after ="
        " (SELECT COALESCE(MAX(seq), 0) FROM events WHERE run_id = ?) WHERE id = ? AND status = 'paused'"
    )
    until = now_micros() + round(lease_seconds * 1_000_000)
    resumed = sql.change(statement, worker, until, run.id, run.id) == 1
    if resumed and run.message_id is not None:
        sql.change("UPDATE messages SET status = 'running' WHERE id = ? AND status = 'paused'", run.message_id)
    return resumed


def _form(found: sql.Row) -> Form:
    return Form(*sql.converted(found, {6: json.loads, 7: json.loads, 9: from_micros, 10: from_micros}))
