"""Browsers that somebody has signed in with before: they are counted by themselves, so that strangers who guess a
password from elsewhere do not lock its owner out.

The proof is a signed cookie that outlives the session. It lets nobody in; whoever steals it gets a few guesses of his
own (`web.limits`). It holds the last accounts of the browser, each by a hash of its e-mail address.
"""

from __future__ import annotations

import hashlib

from flask import Response, current_app
from itsdangerous import BadSignature, URLSafeSerializer

from store.accounts import email_key
from store.clock import current, current_ids
from web import guard

NAME = "difyspec_known"
SECONDS = 365 * 24 * 3600
MOST = 5  # accounts of one browser; a cookie is sent with every request
Entry = tuple[str, str, int]  # hash of the e-mail address, id of the browser for it, when it signed in (Unix seconds)


def of(email: str) -> str | None:
    """The id of this browser for that e-mail address; None where nobody signed in with it in the last year."""
    wanted = _hash(email)
    return next((device for hashed, device, _ in _entries() if hashed == wanted), None)


def remember(response: Response, email: str) -> None:
    """Make this browser a known one for the account that has just signed in."""
    hashed, now = _hash(email), int(current().now().timestamp())
    others = [entry for entry in _entries() if entry[0] != hashed][: MOST - 1]
    device = of(email) or current_ids().token(16)
    guard.set_cookie(response, NAME, str(_serializer().dumps([(hashed, device, now), *others])), SECONDS)


def _entries() -> list[Entry]:
    try:
        found = _serializer().loads(guard.cookie(NAME))
    except BadSignature:
        return []
    oldest = int(current().now().timestamp()) - SECONDS
    return [(hashed, device, since) for hashed, device, since in found if since > oldest]


def _serializer() -> URLSafeSerializer:
    secret = str(current_app.secret_key)
    return URLSafeSerializer(secret, salt=NAME, signer_kwargs={"digest_method": hashlib.sha256})


def _hash(email: str) -> str:
    return hashlib.sha256(email_key(email).encode("utf-8", "surrogatepass")).hexdigest()[:32]
