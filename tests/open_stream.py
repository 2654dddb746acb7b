"""Streams that stay open, on an app in this process: httpx's ASGI transport waits for the end of an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message

from tests.judge import BASE
from tests.waiting import HANG


class OpenStream:
    """One request, as its client and its transport see it; use ``opened``."""

    def __init__(self, app: ASGIApp, method: str, path: str, headers: dict[str, str], body: Any = None) -> None:
        self.status, self.headers = 0, dict[str, str]()
        # The answer as far as it was sent, and whether the transport still takes it.
        self.text, self.broken = "", False
        path, _, query = (BASE + path).partition("?")
        sent = b"" if body is None else json.dumps(body).encode()
        lines = {"host": "tiny.test", **headers} | ({"content-type": "application/json"} if sent else {})
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
            "client": ("192.0.2.1", 1), "server": ("tiny.test", 80), "extensions": {},
        }  # fmt: skip
        self._in: asyncio.Queue[Message] = asyncio.Queue()
        self._in.put_nowait({"type": "http.request", "body": sent, "more_body": False})
        self._news = asyncio.Condition()
        self.task = asyncio.create_task(app(self._scope, self._in.get, self._send))
        self.task.add_done_callback(lambda _: asyncio.ensure_future(self._tell()))

    async def _send(self, message: Message) -> None:
        if self.broken:
            raise OSError("the connection is gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message.get("body", b"").decode()
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that have arrived."""
        return [json.loads(line[5:]) for line in self.text.splitlines() if line.startswith("data:")]

    @property
    def last_id(self) -> int:
        """The id of the last event that has one."""
        return max((int(line[3:]) for line in self.text.splitlines() if line.startswith("id:")), default=0)

    async def begun(self) -> OpenStream:
        """Wait for the first bytes of the answer, or its end."""
        async with asyncio.timeout(HANG), self._news:
            await self._news.wait_for(lambda: self.text or self.task.done())
        return self

    async def until(self, text: str) -> OpenStream:
        """Wait until this has arrived, or AssertionError when the answer ends without it."""
        async with asyncio.timeout(HANG), self._news:
            await self._news.wait_for(lambda: text in self.text or self.task.done())
        assert text in self.text, self.text
        return self

    async def ended(self) -> OpenStream:
        """Wait for the end of the answer."""
        async with asyncio.timeout(HANG):
            await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()
        return self

    def leave(self) -> None:
        """Close the connection, as the client."""
        self._in.put_nowait({"type": "http.disconnect"})


@asynccontextmanager
async def opened(
    app: ASGIApp, method: str, path: str, token: str, body: Any = None, **headers: str
) -> AsyncIterator[OpenStream]:
    """A request whose first bytes have arrived; its client leaves at the end of the block."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    stream = OpenStream(app, method, path, {"authorization": f"Bearer {token}"} | given, body)
    try:
        yield await stream.begun()
    finally:
        stream.leave()
        await stream.ended()
