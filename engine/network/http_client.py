"""The HTTP client of request nodes: guarded addresses, limits on size and time, ends with its run."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
from graphon.http import HttpClientMaxRetriesExceededError, HttpClientProtocol, HttpResponse

from engine.network.address_guard import AddressGuard, AddressRefused
from engine.network.deadline import TimedStream
from engine.network.redirects import followed
from engine.network.sockets import KeptSockets
from engine.network.unpacking import NotUnpacked, TooMuch, Unpacker
from engine.running.cancel import Cancelled, CancelToken

TIMEOUTS = (10, 600, 600)  # seconds to connect, to wait for the answer, to send
_REDIRECTS = 10
_ACCEPTED = {"Accept-Encoding": "gzip, deflate"}  # what can be unpacked here


class RequestRefused(httpx.RequestError):
    """The request broke a rule of this server; the text names it."""


class _Backend(httpcore.SyncBackend):
    """Opens connections for one request, to checked addresses only (each redirect comes through here too)."""

    def __init__(self, guard: AddressGuard, owner: str, deadline: float) -> None:
        super().__init__()
        self._guard, self._owner, self._deadline = guard, owner, deadline
        self.sockets = KeptSockets()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the checked address; the host's name still serves TLS and the Host header."""
        address = self._guard.address(host, port, timeout, self._owner)
        stream = super().connect_tcp(address, port, timeout, local_address, socket_options)
        self.sockets.keep(stream)
        return TimedStream(stream, self._deadline, _late)  # type: ignore[return-value]

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Refused: no address of an app is a file of this machine."""
        raise AddressRefused("Unix sockets are not reachable from apps")


def _late() -> RequestRefused:
    return RequestRefused("The response did not end in time")


class _Transport(httpx.HTTPTransport):
    """httpx's transport over our connections; its own constructor would open a pool that nobody checks."""

    def __init__(self, backend: _Backend, verify: bool) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=_ssl_context(verify), network_backend=backend)


@cache
def _ssl_context(verify: bool) -> ssl.SSLContext:
    # Reading the certificate authorities takes longer than most requests: once per process.
    return httpx.create_ssl_context(verify=verify, trust_env=False)


class GuardedHttpClient(HttpClientProtocol):
    """One per run. A connection per request: reuse would skip the address check."""

    def __init__(self, guard: AddressGuard, cancel: CancelToken, max_bytes: int) -> None:
        self._guard, self._cancel, self._max_bytes = guard, cancel, max_bytes

    @property
    def max_retries_exceeded_error(self) -> type[Exception]:
        """The error after the last retry."""
        return HttpClientMaxRetriesExceededError

    @property
    def request_error(self) -> type[Exception]:
        """The error of a request that got no answer."""
        return httpx.RequestError

    def get(self, url: str, max_retries: int = 0, **kwargs: Any) -> HttpResponse:
        """Send a GET request."""
        return self._retry("GET", url, max_retries, kwargs)

    def head(self, url: str, max_retries: int = 0, **kwargs: Any) -> HttpResponse:
        """Send a HEAD request."""
        return self._retry("HEAD", url, max_retries, kwargs)

    def post(self, url: str, max_retries: int = 0, **kwargs: Any) -> HttpResponse:
        """Send a POST request."""
        return self._retry("POST", url, max_retries, kwargs)

    def put(self, url: str, max_retries: int = 0, **kwargs: Any) -> HttpResponse:
        """Send a PUT request."""
        return self._retry("PUT", url, max_retries, kwargs)

    def delete(self, url: str, max_retries: int = 0, **kwargs: Any) -> HttpResponse:
        """Send a DELETE request."""
        return self._retry("DELETE", url, max_retries, kwargs)

    def patch(self, url: str, max_retries: int = 0, **kwargs: Any) -> HttpResponse:
        """Send a PATCH request."""
        return self._retry("PATCH", url, max_retries, kwargs)

    def _retry(self, method: str, url: str, retries: int, options: dict[str, Any]) -> HttpResponse:
        for attempt in range(retries + 1):
            self._cancel.check()
            try:
                return self._once(method, url, dict(options))
            except AddressRefused as error:
                raise RequestRefused(str(error)) from None
            except RequestRefused:
                raise
            except httpx.RequestError as error:
                if attempt >= retries:
                    raise httpx.RequestError(_words(error, url, options)) from error
        raise AssertionError("unreachable")

    def _once(self, method: str, url: str, options: dict[str, Any]) -> HttpResponse:
        connect, read, write = options.pop("timeout", None) or TIMEOUTS
        deadline = time.monotonic() + connect + read + write
        verify = options.pop("ssl_verify", None) is not False
        follow = options.pop("follow_redirects", False)
        if headers := options.get("headers"):
            options["headers"] = [_header(str(name), str(value)) for name, value in headers.items()]
        backend = _Backend(self._guard, self._cancel.owner, deadline)
        timeout = httpx.Timeout(None, connect=connect, read=read, write=write)
        try:
            # trust_env off: a proxy from the environment would connect on our behalf, unguarded.
            with (
                self._cancel.hook(backend.sockets.abort),
                httpx.Client(
                    transport=_Transport(backend, verify), timeout=timeout, trust_env=False, headers=_ACCEPTED
                ) as client,
            ):
                return self._answer(client, client.build_request(method, url, **options), follow, deadline)
        except (httpx.HTTPError, httpcore.NetworkError) as error:
            if self._cancel.tripped:
                raise Cancelled(self._cancel.reason or "stopped") from None
            if time.monotonic() >= deadline:
                raise _late() from None
            if isinstance(error, httpx.RequestError):
                raise
            raise httpx.RequestError(str(error) or type(error).__name__) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            # What is quoted of an address with a password may be a part of that.
            told = str(error).partition(": ")[0] if "@" in url else error
            raise RequestRefused(f"The URL cannot be used: {told}") from None
        finally:
            backend.sockets.close()

    def _answer(self, client: httpx.Client, request: httpx.Request, follow: bool, deadline: float) -> HttpResponse:
        """Send a request, and those it is redirected to: the client itself would read what each of them says, without
        a bound.
        """
        for _ in range(_REDIRECTS + 1):
            response = client.send(request, stream=True, follow_redirects=False)
            try:
                if not follow or response.next_request is None:
                    return HttpResponse(
                        status_code=response.status_code,
                        headers={k: v for k, v in response.headers.items() if k.lower() != "content-encoding"},
                        content=self._read(response, deadline),
                        url=str(response.url),
                        reason_phrase=response.reason_phrase,
                        fallback_text=None,
                    )
                following = followed(request, response.next_request)
                if following is None:
                    other = response.next_request.url.netloc.decode("ascii", "replace").rpartition("@")[2]
                    raise RequestRefused(f"The address redirects to '{other}', where the request's body is not sent")
                request = following
            finally:
                response.close()
            if time.monotonic() > deadline:
                raise _late()
            self._cancel.check()
        raise RequestRefused(f"The address redirects more than {_REDIRECTS} times")

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        pieces, size = [], 0
        try:
            unpacker = Unpacker(response.headers.get("content-encoding", ""), self._max_bytes)
            for raw in response.iter_raw():
                piece = unpacker.unpack(raw)
                size += len(piece)
                if size > self._max_bytes:
                    raise TooMuch
                if time.monotonic() > deadline:
                    raise _late()
                self._cancel.check()
                pieces.append(piece)
        except TooMuch:
            raise RequestRefused(f"The response is larger than {self._max_bytes} bytes") from None
        except NotUnpacked as error:
            raise RequestRefused(f"The response cannot be read: {error}") from None
        return b"".join(pieces)


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    """A header in UTF-8: of text the client takes ASCII only."""
    if not name or not name.isascii():
        raise RequestRefused(f"A header cannot be called '{name}'")
    return name.encode(), value.encode()


def _words(error: httpx.RequestError, url: str, options: Mapping[str, Any]) -> str:
    """Why there was no answer, in words that name the host and say how long was waited."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    connect, read, write = options.get("timeout") or TIMEOUTS
    if isinstance(error, httpx.ConnectTimeout):
        return f"No connection to '{host}' within {connect:g} seconds"
    if isinstance(error, httpx.ReadTimeout):
        return f"No answer from '{host}' within {read:g} seconds"
    if isinstance(error, httpx.WriteTimeout):
        return f"'{host}' did not take the request within {write:g} seconds"
    if isinstance(error, httpx.ConnectError):
        return f"No connection to '{host}': {_plain(error)}"
    if isinstance(error, httpx.LocalProtocolError):
        return f"The request cannot be sent: {_plain(error)}"
    return f"The request to '{host}' failed: {_plain(error)}"


def _plain(error: Exception) -> str:
    """The text of an error without what only programmers read: numbers of errors, Python's mark of bytes."""
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return re.sub(r"\bb(['\"])", r"\1", text) or "no reason given"
