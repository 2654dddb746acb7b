"""My devices: the sessions that act for me, and how to end one."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

import store.session_list
from store.refusal import Refusal
from web import guard

blueprint = Blueprint("devices", __name__)


@blueprint.get("/devices")
@guard.login_required
def listing() -> ResponseReturnValue:
    """Every live session of the account (the newest 200)."""
    return render_template("devices.html", rows=store.session_list.for_account(guard.me().id))


@blueprint.post("/devices/<session_id>/revoke")
@guard.login_required
def revoke(session_id: str) -> ResponseReturnValue:
    """End one session of mine. Somebody else's id is as absent as one that never was (404)."""
    try:
        wanted = str(uuid.UUID(session_id))
    except ValueError:
        raise Refusal("not_found") from None
    if not store.session_list.revoke_for_account(guard.me().id, wanted):
        raise Refusal("not_found")
    guard.record("session.revoked", guard.me(), session_id=wanted)
    flash("The session has ended. The device has to ask you again.")
    return redirect(url_for("devices.listing"), 303)
