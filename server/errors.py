"""Stop "errors": one renderer for every way an error can be born.

The answer is the canonical body ``{code, message, status, hint?, details?, request_id}``; on operations that
speak OAuth (RFC 8628 §3.5, RFC 6749 §5.2) it is ``{error, error_description}``. What went wrong inside is
logged and never told: an unexpected exception answers one fixed sentence.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
import structlog
from connexion.exceptions import ProblemException
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.headers import NO_STORE
from server.request_id import KEY
from store.refusal import OAuthRefusal, Refusal, place

BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "request_entity_too_large",
    415: "unsupported_media_type",
    422: "invalid_param",
    429: "too_many_requests",
    502: "bad_gateway",
    503: "service_unavailable",
}
OAUTH_STATUSES = frozenset({400, 401, 429})
REALM = 'Bearer realm="openapi"'
log = structlog.get_logger("errors")


class Errors:
    """ASGI layer. In: the paths of the operations that answer errors in the OAuth shape."""

    def __init__(self, app: ASGIApp, oauth_paths: Collection[str] = ()) -> None:
        self.app, self.oauth_paths = app, frozenset(oauth_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if started:  # half an answer is out: all that is left is to cut the connection
                raise
            refusal = as_refusal(error)
            if refusal.status == 422 and scope["path"] in self.oauth_paths:
                refusal.status = 400  # RFC 6749 §5.2: invalid_request
            if error is refusal and refusal.status >= 500:  # stated, and expected while a service is away
                log.warning("unavailable", code=refusal.code, path=scope["path"], cause=repr(error.__cause__))
            elif refusal.status >= 500:
                log.error("failed", code=refusal.code, path=scope["path"], exc_info=error)
            await answer(refusal, scope, send, oauth=scope["path"] in self.oauth_paths)


def as_refusal(error: Exception) -> Refusal:
    """Any exception as a ``Refusal``; what is not one of ours or of the framework's is
    ``internal_server_error``.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):  # connexion's ProblemException and Forbidden are among these
        status = error.status_code
        if status == 400 and isinstance(error, ProblemException):
            status = 422  # connexion's word for a request that breaks the contract
        code = BY_STATUS.get(status, "bad_request" if status < 500 else "internal_server_error")
        headers = dict(error.headers or {})
        if code == "internal_server_error":
            return Refusal(code)
        # The framework's sentences may quote the request or name its own classes; ours do not.
        return Refusal(code, headers=headers)
    return Refusal("internal_server_error")


def body_of(refusal: Refusal, request_id: str | None, oauth: bool = False) -> dict[str, Any]:
    """The JSON body of a refusal: canonical, or OAuth's where ``oauth`` (or the refusal itself) says so."""
    if isinstance(refusal, OAuthRefusal):
        return {
            "error": refusal.error,
            "error_description": refusal.description or refusal.message,
            **refusal.extra,
        }
    body: dict[str, Any] = {"code": refusal.code, "message": refusal.message, "status": refusal.status}
    if refusal.hint:
        body["hint"] = refusal.hint
    if refusal.details:
        body["details"] = refusal.details
    if request_id:
        body["request_id"] = request_id
    return {**_oauth_members(refusal), **body} if oauth and refusal.status in OAUTH_STATUSES else body


def _oauth_members(refusal: Refusal) -> dict[str, Any]:
    """What an OAuth client reads; the members of the canonical body stand beside it."""
    text = "; ".join(f"{place(item)}: {item['msg']}" for item in refusal.details or ())
    error = "slow_down" if refusal.status == 429 else "invalid_request"
    if any((item["loc"][-1:], item["type"]) == (["grant_type"], "enum") for item in refusal.details or ()):
        error = "unsupported_grant_type"
    return {"error": error, "error_description": text or refusal.message}


def headers_of(refusal: Refusal) -> list[tuple[bytes, bytes]]:
    """The header lines of a refusal, ``WWW-Authenticate`` (RFC 6750 §3) included."""
    lines = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in refusal.headers.items()]
    if refusal.status == 401 and not any(name == b"www-authenticate" for name, _ in lines):
        told = f'{REALM}, error="invalid_token"' if refusal.code == "invalid_token" else REALM
        lines.append((b"www-authenticate", told.encode()))
    elif refusal.code == "insufficient_scope":
        lines.append((b"www-authenticate", f'{REALM}, error="insufficient_scope"'.encode()))
    return lines


async def answer(refusal: Refusal, scope: Scope, send: Send, oauth: bool = False) -> None:
    """Send the refusal as the response to this request; a HEAD request gets the headers alone."""
    body = orjson.dumps(body_of(refusal, scope.get(KEY), oauth))
    lines = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        NO_STORE,
        *headers_of(refusal),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
