"""A run's events as server-sent events (WHATWG HTML §9.2)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from engine import runs
from store import runs as rows
from store.clock import current
from store.refusal import Refusal

logger = logging.getLogger(__name__)

RECHECK_SECONDS = 1.0

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


async def frames(
    run_id: str,
    *,
    after: int | None = 0,
    snapshot: bool = False,
    through_pauses: bool = False,
    holds: Callable[[], bool] | None = None,
) -> AsyncIterator[bytes]:
    """Yield the frames of a run: how long to wait before a reconnect, a ping, the events, pings while it is
    quiet.

    ``after``, ``snapshot`` and ``through_pauses`` are those of `engine.runs.follow`. ``holds`` says whether the
    reader may still read: it is asked before a frame, once a second at most, and its no is told as an `error`
    event, the last.
    """
    # In one frame: some parsers tell one with nothing but a retry as a message without data.
    yield f"retry: {runs.config().retry_ms}\nevent: ping\n\n".encode()
    asked = current().monotonic()
    async for batch in runs.batches(run_id, after=after, snapshot=snapshot, through_pauses=through_pauses):
        if holds is not None and current().monotonic() - asked >= RECHECK_SECONDS:
            if not await asyncio.to_thread(_still, holds):
                yield await asyncio.to_thread(_turned_away, run_id)
                return
            asked = current().monotonic()
        yield b"".join(frame(seq, payload) for seq, payload in batch) if batch else _COMMENT


def _still(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except Exception:
        # The store is away, and what is told comes out of it: the reader is asked about again when it is back.
        logger.warning("Whether a reader may still read could not be looked up", exc_info=True)
        return True


def _turned_away(run_id: str) -> bytes:
    """The last frame for a reader whose token was revoked, or whose page was signed out. Without an id: it is no
    event of the run.
    """
    run = rows.for_worker(run_id)
    told: dict[str, Any] = {"event": "error", "task_id": run.task_id if run else None, "workflow_run_id": run_id}
    refusal = Refusal("invalid_token")
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


def response(
    run_id: str,
    *,
    after: int | None = 0,
    snapshot: bool = False,
    through_pauses: bool = False,
    holds: Callable[[], bool] | None = None,
) -> EventStream:
    """Return the streaming answer for a run; the client may leave at any time, the run goes on. The arguments are
    those of `frames`.
    """
    body = frames(run_id, after=after, snapshot=snapshot, through_pauses=through_pauses, holds=holds)
    return EventStream(body, media_type=CONTENT_TYPE, headers=HEADERS)
