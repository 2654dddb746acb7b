"""The same event stream in raw Starlette: frames that are ready, sent as our runs send theirs; and idle streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


async def health(request: Request) -> Response:
    return Response(b'{"ok":true}', media_type="application/json")


async def stream(request: Request) -> StreamingResponse:
    count = int(request.query_params.get("count", "0"))

    async def frames() -> AsyncIterator[bytes]:
        yield b"retry: 3000\n\n"
        for number in range(count):
            data = orjson.dumps({"event": "message", "answer": f"w{number} ", "task_id": "t", "created_at": 0})
            yield b"id: %d\ndata: %s\n\n" % (number, data)
        if not count:
            while True:
                await asyncio.sleep(10)
                yield b": ping\n\n"

    return StreamingResponse(frames(), media_type="text/event-stream")


app = Starlette(routes=[Route("/openapi/v1/_health", health), Route("/stream", stream)])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
