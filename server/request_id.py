"""Stop "request id": each request has a name, which its answer, its error body and its log lines carry.

A client's own ``X-Request-Id`` is taken when it is plain (letters, digits, ``._-``, at most 128): anything
else could forge log lines or headers, and is replaced.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.audit import REQUEST_ID
from store.clock import current_ids

PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch
CURRENT: ContextVar[str | None] = ContextVar("request_id", default=None)
KEY = REQUEST_ID
log = structlog.get_logger("request")


def new_id() -> str:
    """A new request id: 22 characters that nobody can guess."""
    return current_ids().token(16)


class RequestId:
    """ASGI layer: names the request (``scope[KEY]``), binds the name to the logs, and tells the outcome
    there.

    In: ``make`` gives new ids; ``access`` switches the line per request; ``quiet`` paths get one only when
    they fail (probes ask every few seconds).
    """

    def __init__(
        self,
        app: ASGIApp,
        make: Callable[[], str] = new_id,
        access: bool = True,
        quiet: Collection[str] = (),
    ) -> None:
        self.app, self.make, self.access, self.quiet = app, make, access, frozenset(quiet)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = next((value for key, value in scope["headers"] if key == b"x-request-id"), None)
        if name is None or not PLAIN(name):
            name = self.make().encode()
        scope[KEY] = text = name.decode()
        # One dict for all layers: connexion's own routing copies the scope, and errors ask it for the
        # operation.
        scope["extensions"] = dict(scope.get("extensions") or ())
        pair = (b"x-request-id", name)
        status = 0

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                nonlocal status
                status = message["status"]
                message["headers"] = [*message["headers"], pair]
            await send(message)

        CURRENT.set(text)
        began = time.perf_counter()
        try:
            await self.app(scope, receive, named)
        finally:
            if self.access and (status != 200 or scope["path"] not in self.quiet):
                self._tell(scope, status, time.perf_counter() - began)

    @staticmethod
    def _tell(scope: Scope, status: int, seconds: float) -> None:
        line: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": status}
        log.info("request", **line, ms=round(seconds * 1000, 1))
