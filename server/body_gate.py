"""Stop "body gate": a request's body is read here once, within bounds, and handed on whole with its length
stated.

What lies behind never meets an endless, trickling or chunked body. A body that is refused is not answered
here but noted in the scope (``REFUSED``), so that the answer gets a request id and every header like any
other error. The bodies of uploads are not collected: they pass through, counted and timed. Those of forms that
may bring files are collected on disk.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import body_spool
from server.body_room import BodyRoom, Place
from server.body_spool import Spool
from store.refusal import REFUSED, Refusal

BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSE = {"Connection": "close"}  # the rest of the body is still on its way; the connection cannot be used again
BUSY = {**CLOSE, "Retry-After": "5"}


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
    """ASGI layer. In: the most bytes a body may have, and the most seconds it may take to arrive; the bodies that
    pass through, and those that are collected on disk; the room for all others (left out: as much as they need).
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        seconds: float,
        passage: Passage | None = None,
        spool: Spool | None = None,
        room: BodyRoom | None = None,
    ) -> None:
        self.app, self.limit, self.seconds, self.passage, self.spool = app, limit, seconds, passage, spool
        self.room = room or BodyRoom()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in BODILESS:
            await self.app(scope, receive, send)
            return
        if self.passage is not None and self.passage.admits(scope):
            await self._pass(self.passage, scope, receive, send)
            return
        files = await self.spool.room_of(scope) if self.spool else 0
        if self.spool and files:
            most, seconds = self.limit + files, self.spool.seconds
            with body_spool.opened() as (file, take), self.spool.disk.place(scope, partial(file.truncate, 0)) as place:
                read = await self._collect(scope, receive, take, place, most, seconds)
                await self._hand_on(read, file.tell(), body_spool.replay(file, receive), scope, receive, send)
            return
        chunks: list[bytes] = []
        with self.room.place(scope, chunks.clear) as place:
            read = await self._collect(scope, receive, chunks.append, place, self.limit, self.seconds)
            size = sum(map(len, chunks))
            await self._hand_on(read, size, _replay(chunks, receive, place.leave), scope, receive, send)

    async def _hand_on(
        self, read: Refusal | bool, size: int, body: Receive, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if read is False:  # the client left
            return
        if isinstance(read, Refusal):
            scope[REFUSED] = read
            size, body = 0, _replay([], receive)
        kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
        scope["headers"] = [*kept, (b"content-length", str(size).encode())]
        await self.app(scope, body, send)

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

    async def _collect(
        self,
        scope: Scope,
        receive: Receive,
        take: Callable[[bytes], object],
        place: Place,
        limit: int,
        seconds: float,
    ) -> Refusal | bool:
        """Whether the body was read to its end; False when the client left."""
        too_large = Refusal("request_entity_too_large", f"The body is larger than {limit} bytes.", headers=CLOSE)
        if _declared(scope) > limit:
            return too_large
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        return too_large
                    if not place.take(len(chunk)):
                        return Refusal("service_unavailable", "Too many bodies are on their way.", headers=BUSY)
                    take(chunk)
                    if not message.get("more_body"):
                        place.arrived()
                        return True
        except TimeoutError:
            return Refusal("bad_request", f"The body did not arrive within {seconds:g} seconds.", headers=CLOSE)
        except OSError:
            return Refusal("service_unavailable", "The body could not be stored; try again later.", headers=CLOSE)


def _declared(scope: Scope) -> int:
    """The stated length of the body, 0 without one."""
    lines = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in lines if value.isdigit()), default=0)


def _replay(chunks: list[bytes], receive: Receive, taken: Callable[[], None] = lambda: None) -> Receive:
    """Hand a collected body on, once; what is handed on is kept here no longer, for its answer may take hours."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        body = b"".join(chunks)
        chunks.clear()
        taken()
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
