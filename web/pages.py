"""The Flask app of the pages, mounted by the server outside ``/openapi/v1``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, g, render_template, request

import store.cookies
from store.attempts import Attempts
from store.code_guesses import CodeGuesses
from web import apps, device, devices, errors, form, guard, signin, words
from web.hosts import Hosts

MAX_FORM_BYTES = 16 * 1024

# Nothing may run, and nothing may come from elsewhere: markup in a label would still find no script to start.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# A page that asks for it may run the scripts of this server, and ask this server; never one written into the page.
SCRIPTS = "; script-src 'self'; connect-src 'self'"
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers send "Origin: null" with our own forms (Fetch §3.1).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def create_pages(
    public_url: str,
    secret_key: str,
    address_of: Callable[[Mapping[str, Any]], str],
    attempts: Attempts | None = None,
    code_guesses: CodeGuesses | None = None,
    hosts: Hosts | None = None,
) -> Flask:
    """The WSGI app of the pages.

    In: the address people reach the server at (``https`` makes the cookies ``Secure``), the server's secret
    (signs the cookie that carries a note from one page to the next), and a function from a WSGI environ to
    the address of the caller; where guesses are counted (in this process, if left out), and which of user codes (none);
    by which names people reach the server (left out: by its address and the loopback names).
    """
    app = Flask(__name__, static_url_path="/static")
    # People type addresses, and end them with a slash.
    app.url_map.strict_slashes = False
    attempts = attempts or Attempts()
    settings = guard.Pages(
        public_url, address_of, attempts, code_guesses or CodeGuesses(attempts, {}), hosts or Hosts(public_url)
    )
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        # Asked for again each time (304): a page and its script are always of the same version.
        SEND_FILE_MAX_AGE_DEFAULT=None,
        SECRET_KEY=secret_key,
        SESSION_COOKIE_NAME=f"{store.cookies.SECURE if settings.secure else ''}difyspec_note",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure,
    )
    app.extensions["pages"] = settings
    app.before_request(guard.check_host)
    app.before_request(guard.check_form)
    app.after_request(_headers)
    app.jinja_env.filters.update(
        span=words.span,
        since=words.since,
        until=words.until,
        full=words.full,
        place=words.place,
        mode=words.mode,
        state=words.state,
        outcome=words.outcome,
        took=words.took,
        brief=words.brief,
        pretty=words.pretty,
    )
    app.jinja_env.globals.update(csrf_token=guard.csrf_token, account=guard.account, here=apps.here)
    errors.install(app)
    for blueprint in (signin.blueprint, apps.blueprint, device.blueprint, devices.blueprint, form.blueprint):
        app.register_blueprint(blueprint)

    @app.get("/")
    def landing() -> str:
        return render_template("landing.html", base=public_url.rstrip("/") + "/openapi/v1")

    return app


def _headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if g.get("scripts"):
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY + SCRIPTS
    if request.endpoint != "static":
        # A page may show codes, sessions and form tokens: no cache and no back-forward copy keeps it.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie"
    return response
