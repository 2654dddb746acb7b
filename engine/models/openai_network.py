"""How requests to a model's server travel: over connections that the end of the run can break, and no further than
an answer can be long.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import httpcore2
import httpx2

from engine.models.openai_errors import TooLong
from engine.network.sockets import KeptSockets

_MB = 1024 * 1024
_MOST, _MOST_OF_REFUSAL = 256 * _MB, _MB  # bytes that are read of an answer, of why there is none
_LONGEST_LINE = 16 * _MB  # bytes of one event, which is held until it is whole
_DONE = b"data: [DONE]"


class _Network(httpcore2.SyncBackend):
    """Opens connections that the end of the run can break."""

    def __init__(self, kept: KeptSockets) -> None:
        super().__init__()
        self._kept = kept

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        self._kept.keep(stream)
        return stream


class Transport(httpx2.HTTPTransport):
    """The library's transport over connections that end with ``kept``. ``over`` tells whether the last answer was
    marked as complete.
    """

    def __init__(self, kept: KeptSockets) -> None:
        self._pool = httpcore2.ConnectionPool(ssl_context=_ssl_context(), network_backend=_Network(kept))
        self._body: _Body | None = None

    @property
    def over(self) -> bool:
        """Whether the end of the protocol's stream was read."""
        return self._body is not None and self._body.over

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; reading more of its answer than there can be raises TooLong."""
        response = super().handle_request(request)
        most = _MOST if response.is_success else _MOST_OF_REFUSAL
        response.stream = self._body = _Body(response.stream, most)
        return response


class _Body(httpx2.SyncByteStream):
    """A body that is read up to ``most`` bytes."""

    def __init__(self, body: Any, most: int) -> None:
        self._body, self._most = body, most
        self.over = False

    def __iter__(self) -> Iterator[bytes]:
        count, line, tail = 0, 0, b""
        for piece in self._body:
            end = piece.rfind(b"\n")
            count, line = count + len(piece), line + len(piece) if end < 0 else len(piece) - end - 1
            if count > self._most or line > _LONGEST_LINE:
                raise TooLong
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
