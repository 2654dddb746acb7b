"""Messages between the server and the processes that run code: JSON after its length in four bytes."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

HEAD = struct.Struct(">I")
NOT_PLAIN = "The code returned something that is not plain data, or is nested too deeply"


def read(descriptor: int) -> Any:
    """Read one message; None at the end of the stream."""
    head = _exactly(descriptor, HEAD.size)
    if head is None:
        return None
    body = _exactly(descriptor, HEAD.unpack(head)[0])
    return None if body is None else json.loads(body)


def encode(message: Any) -> bytes:
    """Return a message's text. Raises TypeError or ValueError for what JSON cannot hold."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def write(descriptor: int, body: bytes) -> None:
    """Write one encoded message."""
    data = memoryview(HEAD.pack(len(body)) + body)
    while data:
        data = data[os.write(descriptor, data) :]


def _exactly(descriptor: int, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = os.read(descriptor, min(size - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)
