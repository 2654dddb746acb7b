"""Stop "body gate": a request's body is read here once, within bounds, and handed on whole with its length
stated.

What lies behind never meets an endless, trickling or chunked body. A body that is refused is not answered
here but noted in the scope (``REFUSED``), so that the answer gets a request id and every header like any
other error. The bodies of uploads are not collected: they pass through, counted and timed.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.refusal import Refusal

REFUSED = "difyspec.refused"
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSE = {"Connection": "close"}  # the rest of the body is still on its way; the connection cannot be used again


@dataclass(frozen=True, slots=True)
class Passage:
    """Bodies that pass through uncollected: multipart ones, at these paths, within these bounds."""

    paths: re.Pattern[str]
    limit: int
    seconds: float

    def admits(self, scope: Scope) -> bool:
        """Whether the body of this request is one of them."""
        media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        return media.lower().startswith(b"multipart/form-data") and self.paths.fullmatch(scope["path"]) is not None


class BodyGate:
    """ASGI layer. In: the most bytes a body may have, and the most seconds it may take to arrive."""

    def __init__(self, app: ASGIApp, limit: int, seconds: float, passage: Passage | None = None) -> None:
        self.app, self.limit, self.seconds, self.passage = app, limit, seconds, passage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in BODILESS:
            await self.app(scope, receive, send)
            return
        if self.passage is not None and self.passage.admits(scope):
            await self._pass(self.passage, scope, receive, send)
            return
        body = await self._read(scope, receive)
        if body is None:  # the client left
            return
        if isinstance(body, Refusal):
            scope[REFUSED] = body
            body = b""
        length = str(len(body)).encode()
        kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
        scope["headers"] = [*kept, (b"content-length", length)]
        await self.app(scope, _replay(body, receive), send)

    async def _pass(self, passage: Passage, scope: Scope, receive: Receive, send: Send) -> None:
        size, began = 0, time.monotonic()
        too_large = Refusal("request_entity_too_large", f"The body is larger than {passage.limit} bytes.")
        if _declared(scope) > passage.limit:
            scope[REFUSED] = too_large

        async def counted() -> Message:
            nonlocal size
            left = min(self.seconds, began + passage.seconds - time.monotonic())
            try:
                async with asyncio.timeout(max(0.0, left)):
                    message = await receive()
            except TimeoutError:
                raise Refusal("bad_request", "The body did not arrive in time.", headers=CLOSE) from None
            size += len(message.get("body", b""))
            if size > passage.limit:
                raise too_large
            return message

        await self.app(scope, counted, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | Refusal | None:
        if _declared(scope) > self.limit:
            return self._too_large()
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > self.limit:
                        return self._too_large()
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        return b"".join(chunks)
        except TimeoutError:
            return Refusal("bad_request", f"The body did not arrive within {self.seconds:g} seconds.", headers=CLOSE)

    def _too_large(self) -> Refusal:
        return Refusal("request_entity_too_large", f"The body is larger than {self.limit} bytes.", headers=CLOSE)


def _declared(scope: Scope) -> int:
    """The stated length of the body, 0 without one."""
    lines = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in lines if value.isdigit()), default=0)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
