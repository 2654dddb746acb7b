"""A refusal as a calm page: what happened, and what to do next. Never a trace, never the cause."""

from __future__ import annotations

import errno
import logging

from flask import Flask, Response, make_response, render_template
from werkzeug.exceptions import HTTPException

from store.refusal import Refusal
from web.words import span

log = logging.getLogger(__name__)

SOON = "Try again in a moment."
FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk is

TEXTS: dict[int, tuple[str, str]] = {
    400: ("That did not arrive in one piece", "Go back, reload the page and try again."),
    403: (
        "This form is no longer valid",
        "It was opened in another session, or on another site. Nothing was changed.",
    ),
    404: ("There is no such page", "The address may be mistyped, or the page may have moved."),
    405: ("This page cannot be used that way", "Start again from the first page."),
    413: ("That was too much at once", "The form was larger than anything this page expects."),
    421: (
        "This server is not known by that name",
        "Use the address you were given. Whoever runs the server can add the name to DIFYSPEC_ALLOWED_HOSTS.",
    ),
    429: ("Too many attempts", "To keep guessers out, this page now rests for a while."),
    503: ("The server is busy", f"Nothing was changed. {SOON}"),
    500: ("Something went wrong here", f"It is not your fault, and it has been noted. {SOON}"),
}
BY_CODE: dict[str, tuple[str, str]] = {
    "access_mode_denied": ("This app is not open to you", "Its owner chose who may use it. Ask them to add you."),
    "service_api_disabled": ("This app is switched off", "Its owner has switched it off for everybody. Ask them."),
}


def install(app: Flask) -> None:
    """Register the handlers: refusals, HTTP errors of the router, and everything else."""

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        return page(refusal.status, refusal.headers, refusal.code)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        kept = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After", "Location")}
        return page(error.code or 500, kept)

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> Response:
        log.exception("a page failed")
        return page(503 if isinstance(error, OSError) and error.errno in FULL else 500, {})


def page(status: int, headers: dict[str, str], code: str = "") -> Response:
    """The page of a refusal by its code, else by its status, else by the class of that."""
    title, text = BY_CODE.get(code) or TEXTS.get(status) or TEXTS[500 if status >= 500 else 400]
    wait = headers.get("Retry-After", "")
    if wait.isdigit() and not text.endswith(SOON):
        text += f" Try again in {span(int(wait) + 59)}."
    response = make_response(render_template("error.html", title=title, text=text, status=status), status)
    response.headers.extend(headers)
    return response
