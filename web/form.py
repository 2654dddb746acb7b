"""A form of a run that waits for a person. The link is all the permission there is: it names 256 random bits."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from engine import answering
from engine.form_told import PLACE
from store.forms import Form
from store.refusal import Refusal
from web import guard

blueprint = Blueprint("form", __name__, url_prefix="/form")

GONE = {"not_found": "unknown", "human_input_form_submitted": "answered", "human_input_form_expired": "expired"}


@blueprint.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """The form, or what became of it."""
    try:
        return _page(answering.open_form(token))
    except Refusal as refusal:
        return _gone(refusal)


@blueprint.post("/<token>")
def submit(token: str) -> ResponseReturnValue:
    """Give the one answer; a wrong one shows the form again with the reason (400)."""
    try:
        form = answering.open_form(token)
        names = [field["output_variable_name"] for field in form.definition["inputs"]]
        given = {name: request.form[f"field.{name}"] for name in names if f"field.{name}" in request.form}
        account = guard.account()
        by = f"account:{account.id}" if account else "link"
        answering.submit(token, {"action": request.form.get("action", ""), "inputs": given}, by=by)
    except Refusal as refusal:
        if refusal.code == "invalid_form_data":
            return _page(form, refusal.message)
        return _gone(refusal)
    return make_response(render_template("form.html", state="thanks"))


def _page(form: Form, problem: str = "") -> Response:
    told = form.definition
    shown = render_template(
        "form.html",
        state="open",
        title=told["node_title"],
        content=PLACE.sub("", told["form_content"]).strip(),
        fields=told["inputs"],
        defaults=told["resolved_default_values"],
        actions=told["actions"],
        expires=form.expires_at,
        problem=problem,
        given=request.form,
        needs_files=any(one["type"] in ("file", "file-list") for one in told["inputs"]),
    )
    return make_response(shown, 400 if problem else 200)


def _gone(refusal: Refusal) -> Response:
    if refusal.code not in GONE:
        raise refusal
    return make_response(render_template("form.html", state=GONE[refusal.code]), refusal.status)
