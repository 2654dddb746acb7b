"""How requests to a model's server travel: over connections that the end of the run can break, no further than an
answer can be long, and for no longer than it may take.
"""

from __future__ import annotations

import math
import re
import ssl
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import httpcore2
import httpx2

from engine.models.openai_errors import TooLong, TooSlow
from engine.network.deadline import TimedStream
from engine.network.sockets import KeptSockets

_MB = 1024 * 1024
_MOST, _MOST_OF_REFUSAL = 256 * _MB, _MB  # bytes that are read of an answer, of why there is none
_LONGEST_EVENT = 16 * _MB  # bytes of one event, which is held until it is whole
_END_OF_EVENT = re.compile(rb"\n\n|\r\n\r\n")
_DONE = b"data: [DONE]"


class Limits(NamedTuple):
    """What one answer may take: bytes, seconds until it is whole, seconds of silence; 0 does not bound it."""

    bytes: int
    seconds: float
    silence: float


class _Network(httpcore2.SyncBackend):
    """Opens connections that the end of the run can break, and that end when the answer must be whole."""

    def __init__(self, kept: KeptSockets, seconds: float) -> None:
        super().__init__()
        self._kept, self._seconds = kept, seconds
        self._deadline = time.monotonic() + (seconds or math.inf)

    @property
    def late(self) -> TooSlow | None:
        """Set when the answer must be whole by now."""
        return TooSlow(self._seconds) if time.monotonic() >= self._deadline else None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        if late := self.late:
            raise late
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        self._kept.keep(stream)
        return TimedStream(stream, self._deadline, lambda: TooSlow(self._seconds))  # type: ignore[return-value]


class Transport(httpx2.HTTPTransport):
    """The library's transport over connections that end with ``kept``. ``over`` tells whether the last answer was
    marked as complete.
    """

    def __init__(self, kept: KeptSockets, limits: Limits) -> None:
        self._limits, self._network = limits, _Network(kept, limits.seconds)
        self._pool = httpcore2.ConnectionPool(ssl_context=_ssl_context(), network_backend=self._network)
        self._body: _Body | None = None

    @property
    def late(self) -> TooSlow | None:
        """What to tell when the answer must be whole by now: a wait that was cut short looks like silence."""
        return self._network.late

    @property
    def over(self) -> bool:
        """Whether the end of the protocol's stream was read."""
        return self._body is not None and self._body.over

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; reading more of its answer than there can be raises TooLong, or TooSlow."""
        response = super().handle_request(request)
        most = _MOST if response.is_success else _MOST_OF_REFUSAL
        response.stream = self._body = _Body(response.stream, most, self._limits)
        return response


class _Body(httpx2.SyncByteStream):
    """A body that is read up to ``most`` bytes; an event of it is no longer than twice what an answer may be."""

    def __init__(self, body: Any, most: int, limits: Limits) -> None:
        self._body, self._most, self._silence = body, most, limits.silence
        self._longest = min(_LONGEST_EVENT, 2 * limits.bytes + 64 * 1024) if limits.bytes else _LONGEST_EVENT
        self.over = False

    def __iter__(self) -> Iterator[bytes]:
        count, event, tail, heard = 0, 0, b"", time.monotonic()
        for piece in self._body:
            *ended, begun = _END_OF_EVENT.split(tail[-3:] + piece)
            count, event = count + len(piece), len(begun) if ended else event + len(piece)
            if count > self._most or event > self._longest:
                raise TooLong
            now = time.monotonic()
            if b"\n" in piece:
                heard = now
            elif self._silence and now - heard > self._silence:
                # Byte after byte, none of which ends a line, is silence too.
                raise TooSlow(self._silence, silent=True)
            tail = (tail + piece)[-1024:]
            self.over = self.over or _DONE in tail
            yield piece

    def close(self) -> None:
        self._body.close()


def without_key(request: httpx2.Request) -> None:
    """Take the key off a request."""
    request.headers.pop("Authorization", None)


@cache
def _ssl_context() -> ssl.SSLContext:
    # Reading the certificate authorities takes longer than most requests: once per process.
    return httpx2.create_ssl_context()
