"""Signing in to the pages with e-mail and password, and out again."""

from __future__ import annotations

import re

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import store.accounts
import store.cookies
from web import guard, known_device, limits

blueprint = Blueprint("signin", __name__)

COOKIE_SECONDS = 12 * 3600
EMAIL_MAX, PASSWORD_MAX = 320, 1024
# One slash, then neither a slash nor a backslash (browsers read "/\evil" as "//evil"), and no control
# characters (they drop tabs and newlines, so "/\t/evil" is "//evil" too).
LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


@blueprint.get("/signin")
def form() -> ResponseReturnValue:
    """The form; somebody already signed in goes straight on."""
    onward = local_path(request.args.get("next"))
    if guard.account() is not None:
        return redirect(onward, 303)
    return render_template("signin.html", next=onward, email="", failed=False)


@blueprint.post("/signin")
def submit() -> ResponseReturnValue:
    """Open a session, go on to ``next``; a wrong pair shows the form again (401), whichever half is wrong.

    Errors: ``too_many_requests``.
    """
    email = request.form.get("email", "").strip()[:EMAIL_MAX]
    password = request.form.get("password", "")
    onward = local_path(request.form.get("next"))
    limits.count_password(guard.pages().attempts, email, guard.address(), known_device.of(email))
    known = None
    if email and 0 < len(password) <= PASSWORD_MAX and "\0" not in email + password:
        known = store.accounts.check_password(email, password)
    if known is None:
        return make_response(render_template("signin.html", next=onward, email=email, failed=True), 401)
    _close_current()
    guard.record("page.signed_in", known)
    response = make_response(redirect(onward, 303))
    guard.set_cookie(response, guard.COOKIE, store.cookies.open(known.id), COOKIE_SECONDS)
    known_device.remember(response, email)
    return response


@blueprint.post("/signout")
def signout() -> Response:
    """Close the session on the server, then in the browser."""
    _close_current()
    response = make_response(redirect(url_for("landing"), 303))
    guard.drop_cookie(response, guard.COOKIE)
    return response


def local_path(wanted: str | None) -> str:
    """``wanted`` if it is a path of this server, else the list of apps: never an open redirect."""
    if wanted and len(wanted) <= 512 and LOCAL_PATH.fullmatch(wanted):
        return wanted
    return url_for("apps.listing")


def _close_current() -> None:
    for name in (store.cookies.SECURE + guard.COOKIE, guard.COOKIE):
        if cookie := request.cookies.get(name):
            store.cookies.close(cookie)
