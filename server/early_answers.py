"""Answers to what never reaches the app: heads that are too large or too slow, broken HTTP, no place left.

They look like every other error, but for what only the app knows. The contract lists them as
``x-transport-responses``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from server.errors import body_of
from server.headers import API_POLICY, NO_STORE, SAFE
from server.request_id import PLAIN, new_id
from store.refusal import Refusal

Lines = Iterable[tuple[bytes, bytes]]
log = structlog.get_logger("request")


class EarlyAnswers:
    """In: the API level for ``X-Version``; whether a line is logged for each; what makes request ids."""

    def __init__(self, version: str, access: bool = True, make: Callable[[], str] = new_id) -> None:
        self.always: list[tuple[bytes, bytes]] = [
            (b"content-type", b"application/json"), NO_STORE, *SAFE.items(), API_POLICY,
            (b"x-version", version.encode()), (b"connection", b"close"),
        ]  # fmt: skip
        self.access, self.make = access, make

    def of(self, refusal: Refusal, sent: Lines, common: Lines, peer: str | None) -> bytes:
        """The whole answer as it is written to the wire, after which the connection closes. In: the header lines that
        were read, the server's common ones, and the address it goes to, which is logged.
        """
        named = next((value for name, value in sent if name == b"x-request-id" and PLAIN(value)), None)
        request_id = named.decode() if named else self.make()
        body = orjson.dumps(body_of(refusal, request_id))
        lines = [
            *common,
            *self.always,
            *((name.lower().encode(), value.encode()) for name, value in refusal.headers.items()),
            (b"x-request-id", request_id.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if self.access:
            log.info("turned away", request_id=request_id, status=refusal.status, code=refusal.code, address=peer)
        return b"".join((STATUS_LINE[refusal.status], *(b"%b: %b\r\n" % line for line in lines), b"\r\n", body))
