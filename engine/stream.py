"""A run's events as server-sent events (WHATWG HTML §9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from engine import runs
from engine.events.log import Follower
from store import runs as rows
from store.access import Access
from store.refusal import Refusal

HEADERS = {
    "Cache-Control": "no-cache, no-store",
    # Without it nginx collects the stream and delivers it at the end.
    "X-Accel-Buffering": "no",
}
CONTENT_TYPE = "text/event-stream; charset=utf-8"
_COMMENT = b": ping\n\n"
_PIECE = 64 * 1024  # characters of one event that are encoded, and handed to the connection, at a time


def frame(seq: int, payload: str) -> bytes:
    """Return one event as a frame; ``payload`` is JSON on one line."""
    return f"id: {seq}\ndata: {payload}\n\n".encode()


def pieces(batch: Iterable[tuple[int, str]]) -> Iterator[bytes]:
    """Yield events as frames: small ones together, a large one piece by piece, so that no copy of it waits for a slow
    reader.
    """
    small: list[bytes] = []
    for seq, payload in batch:
        if len(payload) <= _PIECE:
            small.append(frame(seq, payload))
            continue
        yield b"".join([*small, f"id: {seq}\ndata: ".encode()])
        small = [b"\n\n"]
        for first in range(0, len(payload), _PIECE):
            yield payload[first : first + _PIECE].encode()
    if small:
        yield b"".join(small)


async def frames(
    run: rows.Run,
    *,
    access: Access | None = None,
    after: int | None = 0,
    snapshot: bool = False,
    through_pauses: bool = False,
) -> AsyncIterator[bytes]:
    """Yield the frames of a run: how long to wait before a reconnect, a ping, the events, pings while it is
    quiet.

    ``after``, ``snapshot`` and ``through_pauses`` are those of `engine.runs.follow`. When ``access`` is lost (at once
    by a change in this process, within a second by one elsewhere) nothing more is told but an `error` event that says
    why.
    """
    reader, watch = Follower(run.subject), runs.machine().watch
    if access:
        watch.admit(access, reader)
    try:
        # In one frame: some parsers tell one with nothing but a retry as a message without data.
        yield f"retry: {runs.config().retry_ms}\nevent: ping\n\n".encode()
        source = runs.batches(run.id, reader, after=after, snapshot=snapshot, through_pauses=through_pauses)
        async with aclosing(source):
            async for batch in source:
                if reader.lost:
                    break
                for piece in pieces(batch) if batch else (_COMMENT,):
                    yield piece
                batch = []  # what was sent is not kept until something follows it
        if reader.lost:
            yield _turned_away(run, reader.lost)
    finally:
        if access:
            watch.dismiss(access, reader)


def _turned_away(run: rows.Run, refusal: Refusal) -> bytes:
    """The last frame for a reader who has lost access. Without an id: it is no event of the run."""
    told: dict[str, Any] = {"event": "error", "task_id": run.task_id, "workflow_run_id": run.id}
    told |= {"code": refusal.code, "message": refusal.message, "status": refusal.status}
    return b"data: " + orjson.dumps(told) + b"\n\n"


class EventStream(StreamingResponse):
    """Starlette's, but it listens for the client's leaving with one plain task: the task group that Starlette
    opens costs as much as sending a short run's events.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the body ends or the client leaves."""
        streaming, left = asyncio.current_task(), False
        assert streaming is not None

        async def listen() -> None:
            nonlocal left
            while (await receive())["type"] != "http.disconnect":
                pass
            left = True
            streaming.cancel()

        listening = asyncio.create_task(listen())
        try:
            await self.stream_response(send)
        except asyncio.CancelledError:
            # Only our own request ends here; another one, such as the server's end, goes on up.
            if not left or streaming.uncancel():
                raise
        finally:
            listening.cancel()
            # Now, not when the garbage is collected: it lets go of what it follows.
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()


def response(
    run: rows.Run,
    *,
    access: Access | None = None,
    after: int | None = 0,
    snapshot: bool = False,
    through_pauses: bool = False,
) -> EventStream:
    """Return the streaming answer for a run; the client may leave at any time, the run goes on. The arguments are
    those of `frames`.
    """
    # What the stream does not tell is not kept for as long as it is open.
    slim = replace(run, inputs={}, outputs=None, query=None, files=None)
    body = frames(slim, access=access, after=after, snapshot=snapshot, through_pauses=through_pauses)
    return EventStream(body, media_type=CONTENT_TYPE, headers=HEADERS)
