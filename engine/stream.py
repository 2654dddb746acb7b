"""A run's events as server-sent events (WHATWG HTML §9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from engine import runs

HEADERS = {
    "Cache-Control": "no-cache, no-store",
    # Without it nginx collects the stream and delivers it at the end.
    "X-Accel-Buffering": "no",
}
CONTENT_TYPE = "text/event-stream; charset=utf-8"
_COMMENT = b": ping\n\n"


def frame(seq: int, payload: str) -> bytes:
    """Return one event as a frame; ``payload`` is JSON on one line."""
    return f"id: {seq}\ndata: {payload}\n\n".encode()


async def frames(run_id: str, *, after: int | None = 0, snapshot: bool = False) -> AsyncIterator[bytes]:
    """Yield the frames of a run: how long to wait before a reconnect, a ping, the events, pings while it is
    quiet.

    ``after`` and ``snapshot`` are those of `engine.runs.follow`.
    """
    yield f"retry: {runs.config().retry_ms}\n\nevent: ping\n\n".encode()
    async for batch in runs.batches(run_id, after=after, snapshot=snapshot):
        yield b"".join(frame(seq, payload) for seq, payload in batch) if batch else _COMMENT


def response(run_id: str, *, after: int | None = 0, snapshot: bool = False) -> StreamingResponse:
    """Return the streaming answer for a run; the client may leave at any time, the run goes on."""
    return StreamingResponse(frames(run_id, after=after, snapshot=snapshot), media_type=CONTENT_TYPE, headers=HEADERS)
