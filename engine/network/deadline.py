"""A connection that ends in time, however slowly the other side goes on: a bound on each wait bounds nobody who sends a
byte before each is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

_PIECE = 64 * 1024  # bytes that are sent before it is looked whether time is up


class TimedStream:
    """A stream of httpcore (or httpcore2) until ``deadline`` (monotonic seconds, or infinity). What is asked of it then
    raises what ``late`` makes.
    """

    def __init__(self, stream: Any, deadline: float, late: Callable[[], Exception]) -> None:
        self._stream, self._deadline, self._late = stream, deadline, late

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, or does within ``timeout`` seconds."""
        data: bytes = self._stream.read(max_bytes, self._left(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of ``buffer``."""
        for start in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[start : start + _PIECE], self._left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        """The same connection, encrypted, with the same deadline."""
        inner = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return TimedStream(inner, self._deadline, self._late)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return timeout if math.isinf(left) else min(left, left if timeout is None else timeout)
