"""Answering a device (RFC 8628 §3.3): enter the code, look at who asks, approve or deny.

The steps are three requests on purpose. A link with the code in it (``verification_uri_complete``) only fills
in the form; the page that asks shows the code again, so that somebody who was sent the link can see that it
is not theirs (§5.4).
"""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import store.device
from store.device import DeviceFlow
from store.refusal import Refusal
from web import guard

blueprint = Blueprint("device", __name__, url_prefix="/device")

CODE_MAX = 32
OUTCOMES = {"approved": 200, "denied": 200, "already": 409, "unknown": 404}


@blueprint.get("")
@guard.login_required
def enter() -> ResponseReturnValue:
    """Ask for the code; ``?user_code=`` fills it in and does nothing else."""
    return render_template("device.html", code=request.args.get("user_code", "")[:CODE_MAX], wrong=False)


@blueprint.post("")
@guard.login_required
def find() -> ResponseReturnValue:
    """From a code to the page that asks about it; an unknown one shows the form again (404)."""
    typed = request.form.get("user_code", "")
    flow = _lookup(typed)
    if flow is None:
        return make_response(render_template("device.html", code=typed[:CODE_MAX], wrong=True), 404)
    return redirect(url_for("device.confirm", user_code=flow.user_code), 303)


@blueprint.get("/confirm")
@guard.login_required
def confirm() -> ResponseReturnValue:
    """Show who asks, from where and since when, and the code again; decides nothing."""
    flow = _lookup(request.args.get("user_code", ""))
    if flow is None:
        return _outcome("unknown")
    if flow.status != "pending":
        return _outcome("already")
    return render_template("confirm.html", flow=flow, here=guard.address())


@blueprint.post("/approve")
@guard.login_required
def approve() -> ResponseReturnValue:
    """Let the device act for the signed-in account; the store moves the state once, a loser is told so."""
    return _answer("approved")


@blueprint.post("/deny")
@guard.login_required
def deny() -> ResponseReturnValue:
    """Turn the device away."""
    return _answer("denied")


def _answer(decision: str) -> Response:
    flow = _lookup(request.form.get("user_code", ""))
    if flow is None:
        return _outcome("unknown")
    move = store.device.approve if decision == "approved" else store.device.deny
    try:
        move(flow.user_code, guard.me().id)
    except Refusal as refusal:
        if refusal.code not in ("not_found", "already_resolved"):
            raise
        return _outcome("unknown" if refusal.code == "not_found" else "already")
    guard.record(f"oauth.device_flow_{decision}", guard.me(), client_id=flow.client_id, device_label=flow.device_label)
    return _outcome(decision, flow)


def _lookup(typed: str) -> DeviceFlow | None:
    """The flow of a code as a person types it; wrong ones are counted (``too_many_requests``, §5.1)."""
    guesses, who = guard.pages().code_guesses, f"account:{guard.me().id}"
    guesses.look(guard.address(), who)
    flow = store.device.lookup(typed) if typed and len(typed) <= CODE_MAX and "\0" not in typed else None
    if flow is None:
        guesses.wrong(guard.address(), who)
    return flow


def _outcome(kind: str, flow: DeviceFlow | None = None) -> Response:
    return make_response(render_template("outcome.html", kind=kind, flow=flow), OUTCOMES[kind])
