"""A form of a run that waits for a person. The link is all the permission there is: it names 256 random bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, get_template_attribute, make_response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from engine.files import service as files
from engine.forms import answering, showing
from store import networks
from store.forms import Form
from store.refusal import Refusal
from web import form_answer, guard, limits, markdown
from web.form_fields import Field, fields, label

blueprint = Blueprint("form", __name__, url_prefix="/form")

GONE = {"not_found": "unknown", "human_input_form_submitted": "answered", "human_input_form_expired": "expired"}
AGAIN = ("invalid_form_data", "service_unavailable")  # refusals after which one may try again
MAX_TEXT = 1024 * 1024  # bytes of all that is typed into one form


@blueprint.url_value_preprocessor
def room(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """A form may be answered at length, and with files if it asks for some; before anything reads the body."""
    request.max_form_memory_size = MAX_TEXT
    request.max_content_length = MAX_TEXT
    if request.method == "POST" and request.mimetype == "multipart/form-data":
        request.max_content_length += answering.room((values or {}).get("token", ""))


@blueprint.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """The form, or what became of it."""
    try:
        return _page(answering.open_form(token))
    except Refusal as refusal:
        return _gone(refusal)


@blueprint.post("/<token>")
def submit(token: str) -> ResponseReturnValue:
    """Give the one answer; one that is not taken shows the form again, with the reason at its field (400)."""
    try:
        form = answering.open_form(token)
    except Refusal as refusal:
        return _gone(refusal)
    action = request.form.get("action", "")
    try:
        account = guard.account()
        by = f"account:{account.id}" if account else answering.answerer(token)
        answering.submit(
            token, {"action": action, "inputs": form_answer.inputs(form)}, by=by, uploads=form_answer.uploads(form)
        )
    except Refusal as refusal:
        return _page(form, refusal) if refusal.code in AGAIN else _gone(refusal)
    chosen = next(one["title"] or one["id"] for one in form.definition["actions"] if one["id"] == action)
    return make_response(render_template("form.html", state="thanks", chosen=chosen))


def _page(form: Form, refusal: Refusal | None = None) -> Response:
    told = showing.definition(form)
    wrong = form_answer.wrong(told, refusal) if refusal else {}
    shown = fields(told, request.form, wrong)
    content, rest = _placed(told["form_content"], shown)
    page = render_template(
        "form.html",
        state="open",
        title=told["node_title"],
        content=content,
        rest=rest,
        fields=shown,
        actions=told["actions"],
        expires=answering.closes_at(form),
        problem=form_answer.problem(refusal, wrong) if refusal else "",
        has_uploads=any(one.uploads for one in shown.values()),
    )
    return make_response(page, refusal.status if refusal else 200)


def _placed(content: str, shown: Mapping[str, Field]) -> tuple[Markup, list[Field]]:
    """The text with its fields in their places, and the fields that it has no place for."""
    draw = get_template_attribute("_form.html", "field")
    left = dict(shown)

    def place(name: str) -> str:
        if name in left:
            return str(draw(left.pop(name)))
        # A second place of the same field only speaks of it.
        return str(Markup("<em>{}</em>").format(label(name))) if name in shown else ""

    return markdown.render(content, place, files.current().links.is_open), list(left.values())


def _gone(refusal: Refusal) -> Response:
    if refusal.code not in GONE:
        raise refusal
    if refusal.code == "not_found":  # a token is 2^256: what is bounded is the work, and nobody with a right one waits
        guard.pages().attempts.count([(limits.BAD_FORM, networks.bucket(guard.address()))])
    return make_response(render_template("form.html", state=GONE[refusal.code]), refusal.status)
