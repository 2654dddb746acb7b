"""How requests to a model's server travel: over connections that the end of the run can break."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore2
import httpx2

from engine.network.sockets import KeptSockets


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
    """The library's transport over connections that end with ``kept``."""

    def __init__(self, kept: KeptSockets) -> None:
        self._pool = httpcore2.ConnectionPool(ssl_context=_ssl_context(), network_backend=_Network(kept))


def without_key(request: httpx2.Request) -> None:
    """Take the key off a request."""
    request.headers.pop("Authorization", None)


@cache
def _ssl_context() -> ssl.SSLContext:
    # Reading the certificate authorities takes longer than most requests: once per process.
    return httpx2.create_ssl_context()
