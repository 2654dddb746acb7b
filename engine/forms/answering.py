"""Finding a form for who has its token, checking the answer, and letting the run go on with it.

Both doors, the API and the page, come through here (behaviour-runs §11.5 and §11.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, NoReturn

from engine import runs
from engine.forms import files as form_files
from engine.forms import uploads as form_uploads
from engine.forms.uploads import Uploads
from engine.forms.values import check
from store import forms, mails
from store import runs as rows
from store.clock import current
from store.files import FileGone, Owner
from store.forms import Form
from store.refusal import Refusal
from store.sql import sha256

MAX_TOKEN = 255


def find(token: str, app_id: str | None = None) -> Form:
    """Return the form a token opens, whatever its status; ``app_id`` also says whose it must be.

    Refusals: not_found.
    """
    form = forms.by_token_hash(sha256(token), app_id) if 0 < len(token) <= MAX_TOKEN else None
    if form is None:
        raise Refusal("not_found", "Form not found")
    return form


def open_form(token: str, app_id: str | None = None) -> Form:
    """Return a form that can be answered.

    Refusals: not_found, human_input_form_submitted, human_input_form_expired.
    """
    form = find(token, app_id)
    if form.status == "submitted":
        _submitted(form)
    if not form.is_waiting or closes_at(form) <= current().now():
        _expired(form)
    return form


def closes_at(form: Form) -> datetime:
    """Until when a form can be answered: its own time, but no longer than any form may wait."""
    return min(form.expires_at, form.created_at + timedelta(seconds=runs.machine().config.form_seconds))


def answerer(token: str) -> str:
    """Say who has this link: the address that it was sent to, or whoever has it."""
    found = mails.sent_to(sha256(token))
    return f"email:{found[1]}" if found else "link"


def submit(
    token: str,
    body: Mapping[str, Any],
    *,
    by: str,
    app_id: str | None = None,
    giver: Owner | None = None,
    uploads: Uploads = MappingProxyType({}),
) -> rows.Run:
    """Take the answer of a form and let its run go on; returns the run.

    ``by`` says who answers, ``giver`` whose files the answer may name (None: those of who started the run);
    ``uploads`` are files that come with it, by field. Of several answers at once one is taken, the others are
    refused like a second one. Refusals: those of `open_form`, invalid_form_data.
    """
    form = open_form(token, app_id)
    run = rows.for_worker(form.run_id)
    if run is None:
        raise Refusal("not_found", "Form not found")
    machine = runs.machine()
    with form_uploads.stored(form.definition, body["inputs"], uploads, run) as given:
        action, inputs = str(body["action"]), check(form.definition, body["action"], given)
        inputs, used = form_files.resolved(form.definition, inputs, run, giver or run)
        try:
            taken, goes_on = forms.answer(
                form.id,
                {"action": action, "inputs": inputs},
                by,
                machine.holder,
                machine.config.lease_seconds,
                partial(form_files.use, used, run, giver or run),
            )
        except FileGone:
            raise Refusal(form_files.CODE, "A file is not there any more, or in use; upload it again.") from None
        if not taken:
            open_form(token, app_id)
            # Its time ran out between the two looks at the clock.
            _expired(form)
    if goes_on:
        machine.take_up(run)
    return run


def room(token: str) -> int:
    """How many bytes of files an answer of the form may bring; 0 where there is no such form.

    One that was answered is no exception: who comes late is told so, not that it was too much.
    """
    try:
        return form_uploads.room(find(token).definition)
    except Refusal:
        return 0


def _submitted(form: Form) -> NoReturn:
    raise Refusal(
        "human_input_form_submitted", f"This form has already been submitted by another user, form_id={form.id}"
    )


def _expired(form: Form) -> NoReturn:
    raise Refusal("human_input_form_expired", f"This form has expired, form_id={form.id}")
