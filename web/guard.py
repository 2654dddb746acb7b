"""Who is at the keyboard, and did the form come from one of our own pages?"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

import store.audit
import store.cookies
from store.accounts import Account
from store.attempts import Attempts
from store.code_guesses import CodeGuesses
from store.refusal import REFUSED, Refusal
from web.hosts import Hosts

COOKIE = store.cookies.NAME
View = Callable[..., ResponseReturnValue]


@dataclass(frozen=True)
class Pages:
    """What the pages were created with; kept at ``app.extensions["pages"]``."""

    public_url: str
    address_of: Callable[[Mapping[str, Any]], str]
    attempts: Attempts
    code_guesses: CodeGuesses
    hosts: Hosts

    @property
    def secure(self) -> bool:
        """Whether people reach the pages over https, so that the cookie must never travel without it."""
        return urlsplit(self.public_url).scheme == "https"


def cookie(name: str) -> str:
    """The value of one of our cookies under either of its names, the one that only we can set first; or ""."""
    return request.cookies.get(store.cookies.SECURE + name) or request.cookies.get(name, "")


def set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """Give the browser a cookie that no script reads and no other site sends along with a form.

    Over https it has the prefix ``__Host-`` (RFC 6265bis §4.1.3.2): no other host of the domain, and nobody on the
    way, can set it.
    """
    secure = pages().secure
    named = store.cookies.SECURE + name if secure else name
    response.set_cookie(named, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Lax")
    if secure and name in request.cookies:  # of the time before https
        response.delete_cookie(name, path="/", httponly=True, samesite="Lax")


def drop_cookie(response: Response, name: str) -> None:
    """Take a cookie back, under both names."""
    secure = pages().secure
    for named in (store.cookies.SECURE + name, name) if secure else (name,):
        response.delete_cookie(named, path="/", secure=secure, httponly=True, samesite="Lax")


def pages() -> Pages:
    """The settings of the app that serves this request."""
    found: Pages = current_app.extensions["pages"]
    return found


def address() -> str:
    """The address of the person, as the server's trusted-proxy rule sees it."""
    return pages().address_of(request.environ)


def account() -> Account | None:
    """The signed-in account, or None."""
    found = _session()
    return found[0] if found else None


def csrf_token() -> str:
    """The token the forms of this session carry; empty when nobody is signed in.

    A page of another site can make the browser send the cookie but can neither read it nor compute this.
    """
    found = _session()
    return found[1] if found else ""


def _session() -> tuple[Account, str] | None:
    """The account of the cookie and its form token, looked up once per request."""
    if "session" not in g:
        g.session = store.cookies.resolve(cookie(COOKIE))
    found: tuple[Account, str] | None = g.session
    return found


def me() -> Account:
    """The account of a view behind ``login_required``; ``unauthorized`` elsewhere."""
    found = account()
    if found is None:
        raise Refusal("unauthorized")
    return found


def record(event: str, who: Account, **fields: str) -> None:
    """Write to the audit trail what a page did, under the name the contract's own operation uses for it."""
    # The id that was accepted or made, not what the client called itself.
    request_id = _scope().get(store.audit.REQUEST_ID)
    store.audit.record(event, actor=f"account:{who.id}", request_id=request_id, address=address(), **fields)


def _scope() -> Mapping[str, Any]:
    """The request as the server's other layers see it; empty where the pages stand alone."""
    found: Mapping[str, Any] = request.environ.get("asgi.scope", {})
    return found


class UnknownHost(HTTPException):
    """The request was meant for another server (RFC 9110 §15.5.20)."""

    code = 421


def check_host() -> None:
    """Refuse what was sent to a name that is not ours; runs before every view."""
    own = _scope().get("server") or ("", 0)
    if not pages().hosts.know(request.headers.get("Host", ""), str(own[0])):
        raise UnknownHost


def login_required(view: View) -> View:
    """Send anybody else to the sign-in page, and back here afterwards."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        if account() is not None:
            return view(*args, **kwargs)
        # Only a GET can be repeated after signing in; a form that outlived its session starts over.
        here = request.full_path.rstrip("?") if request.method == "GET" else url_for("device.enter")
        return redirect(url_for("signin.form", next=here), 303)

    return guarded


def check_form() -> None:
    """Refuse (``csrf_failed``) a POST that none of our own pages sent; runs before every view.

    First where it comes from: browsers state ``Origin`` on every POST; one without it must state
    ``Sec-Fetch-Site: same-origin``, and one with neither is not a browser. This also stops login CSRF, where
    there is no session to bind a token to. Then, when somebody is signed in, the token. A body that the server has
    refused before (too large, too slow) is told here too.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    refused = _scope().get(REFUSED)
    if refused is not None:
        raise refused
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin") or (origin is None and site is None):
        raise Refusal("csrf_failed")
    if origin is not None and origin not in _own_origins():
        raise Refusal("csrf_failed")
    # A sign-in form may be older than the session of another tab; what it does is proved by the password.
    if account() is not None and request.endpoint != "signin.submit":
        sent = request.form.get("csrf_token", "")
        if not hmac.compare_digest(sent.encode(), csrf_token().encode()):
            raise Refusal("csrf_failed")


def _own_origins() -> set[str]:
    """The address people were told, and the one they typed (another name of the machine, which ``check_host`` knows, or
    another port).
    """
    told = urlsplit(pages().public_url)
    return {f"{told.scheme}://{told.netloc}", request.host_url.rstrip("/")}
