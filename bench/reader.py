"""Reading one run over a connection of its own: beside a hundred streams a client library's pool of connections
takes longer than the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

_LONGEST_LINE = 2**20


class Reading(NamedTuple):
    """Seconds from the request to the first event and to the last, and how many events there were."""

    first: float
    whole: float
    events: int


async def read(base: str, path: str, headers: Mapping[str, str], body: Mapping[str, object]) -> Reading:
    """Start a run and read it to its end; RuntimeError when it does not succeed."""
    begun, first, count, last = time.perf_counter(), 0.0, 0, b""
    where = urlsplit(base)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=_LONGEST_LINE)
    try:
        writer.write(_request(where.netloc, path, headers, orjson.dumps(body)))
        async for line in reader:
            # The server sends whole frames, so that none is cut by the sizes of chunks between them.
            if line.startswith(b"data:"):
                count, last = count + 1, line
                first = first or time.perf_counter() - begun
        whole = time.perf_counter() - begun
    finally:
        writer.close()
    event = orjson.loads(last[5:]) if last else {}
    if event.get("event") != "workflow_finished" or event["data"]["status"] != "succeeded":
        raise RuntimeError(f"the run at {path} did not succeed: {last.decode()}")
    return Reading(first, whole, count)


def _request(host: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = {"Host": host, "Connection": "close", "Content-Type": "application/json", "Content-Length": len(body)}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**fields, **headers}.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
