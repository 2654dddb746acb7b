"""One connection: uvicorn's HTTP/1.1, with an end to everything that a stranger may draw out.

uvicorn trusts whoever connects: a head may be of any size and take for ever, and so may the reading of an answer.
Here a connection is counted, its heads are bounded while they arrive, each wait has a clock, and what cannot be
served is answered before it closes. What is bounded, and by how much, is in ``server.heads.Bounds``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import struct
import sys
import termios
from asyncio import TimerHandle
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.connections import TOLD_AT_ONCE, Connections
from server.early_answers import EarlyAnswers
from server.heads import Bounds, check_target
from server.sending import SendClock, cut
from server.upgrades import framing, parser_at_body
from store.refusal import Refusal

PIPELINED = 100  # requests that may wait behind the one at work; those beyond are not answered
LINGER = 2.0  # seconds that what still arrives is thrown away, so that the answer is read before the connection ends
DRAIN = 0.25  # seconds that a connection without a request stays open when the server stops
FOR_GOOD = 365 * 86400
SOON = {"Retry-After": "5"}


class Protocol(HttpToolsProtocol):
    """In, beside what uvicorn gives: the bounds, the connections of this process, and the answers of this layer."""

    def __init__(
        self, *args: Any, bounds: Bounds, connections: Connections, answers: EarlyAnswers, **named: Any
    ) -> None:
        super().__init__(*args, **named)
        self.bounds, self.places, self.answers = bounds, connections, answers
        self.timeout_keep_alive = bounds.idle_seconds or FOR_GOOD  # type: ignore[assignment]
        self.in_head = self.in_body = False  # of the request that arrives now
        self.is_deaf = False  # what arrives is thrown away; what was asked before is answered
        self.is_ending = False  # answered for the last time
        self.target: list[bytes] = []
        self.hosts: list[bytes] = []
        self.head_size = self.head_fields = 0
        self.most_bytes, self.most_fields = bounds.head_bytes or sys.maxsize, bounds.head_fields or sys.maxsize
        self.since = 0  # bytes since the last one of a body, or of a request
        self.head_clock: TimerHandle | None = None

    # What happens to the connection.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and wait for its first head; one over a cap is told so."""
        super().connection_made(transport)
        self.wire = transport
        self.send_clock = SendClock(self.loop, transport, self.bounds.send_seconds)
        self.transport = _Answered(self)  # type: ignore[assignment]
        if self.places.admit(self, self.client[0] if self.client else None):
            self._await_head()
        elif self.places.told < TOLD_AT_ONCE:
            self.places.told += 1
            self._turn_away(Refusal("service_unavailable", "There are too many connections.", headers=SOON))
            self.loop.call_later(LINGER, self._told)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place free."""
        self.places.leave(self)
        self._stop_head_clock()
        self.send_clock.stop()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def make_room(self) -> None:
        """Close, for another needs the place."""
        if not self._is_idle:
            cut(self.wire)
            return
        self._unset_keepalive_if_required()
        self._stop_head_clock()
        self.wire.close()
        self.send_clock.start()

    def shutdown(self) -> None:
        """The server stops: what was asked is answered, what is on its way has a moment to arrive."""
        if not self._is_idle:
            self.cycle.keep_alive = False
        elif not self.is_ending:
            self._unset_keepalive_if_required()
            self._await_head()

    # What arrives.

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, within the bounds."""
        if self.is_deaf:
            return
        self._unset_keepalive_if_required()
        self.since += len(data)
        try:
            self._feed(data)
            if self.bounds.head_bytes and self.since > self.bounds.head_bytes:
                # Of a head, of blank lines before it, of a chunk's extensions or of trailers: no part of a body.
                self.bounds.check_head(self.since, 0)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refusal) else Refusal("bad_request", "This is not valid HTTP."))
        except Refusal as refusal:
            self._refuse(refusal)
        else:
            if self.head_clock is None and (self.in_head or self._is_idle):
                self._await_head()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                # No other protocol is spoken here (`server.upgrades`).
                data = data[stopped.args[0] :]
                if self.in_body:
                    self.parser = parser_at_body(self.headers, self.on_body, self.on_message_complete)
                    self.cycle.keep_alive = False
            else:
                return

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.in_head, self.since, self.head_size, self.head_fields = True, 0, 0, 0
        self.target, self.hosts = [], []

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self.target.append(url)
        self.head_size += len(url)
        self.bounds.check_url(self.head_size)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head. Those that follow a body are dropped: nothing here asks for them, and in the list of
        the request's headers they would pass for some.
        """
        if not self.in_head:
            return
        self.head_size += len(name) + len(value) + 4
        self.head_fields += 1
        if self.head_size > self.most_bytes or self.head_fields > self.most_fields:
            self.bounds.check_head(self.head_size, self.head_fields)
        name = name.lower()
        if b"_" in name:
            return  # where headers become variables (CGI, WSGI) it would pass for the one with a dash
        if name == b"host":
            self.hosts.append(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: its request begins, or waits behind the one at work."""
        self.url = b"".join(self.target)
        check_target(self.parser.get_method().decode("ascii"), self.url, self.hosts, self.parser.get_http_version())
        if len(self.pipeline) >= PIPELINED:
            raise Refusal("too_many_requests")
        self.in_head, self.in_body, self.since = False, True, 0
        self._stop_head_clock()
        self.places.works(self)
        super().on_headers_complete()
        if self.places.stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.since = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.parser.should_upgrade() and framing(self.headers):
            return  # the parser took no body, but there is one
        self.in_body, self.since = False, 0
        super().on_message_complete()

    # What leaves.

    def on_response_complete(self) -> None:
        """An answer is out: the next request's turn. One whose body nobody waits for ends the connection."""
        if self.in_body and self.cycle.response_complete:
            self.transport.close()
        super().on_response_complete()
        if self._is_idle and not self.is_ending:
            self.places.waits(self)
            if self.in_head:  # its clock runs already
                self._unset_keepalive_if_required()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.disconnected:  # its body broke off while it waited for its turn
            self.transport.close()
        else:
            super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        """The client does not take what was written."""
        super().pause_writing()
        self.send_clock.start()

    def resume_writing(self) -> None:
        """It took most of it."""
        super().resume_writing()
        if not self.wire.is_closing():
            self.send_clock.stop()

    def finish(self) -> None:
        """End the connection once all that was written is sent.

        Where the client is still sending, a plain close would make the kernel throw away what it has not read of the
        answer (RFC 9112 section 9.6): so this side ends, and what arrives is thrown away for a while.
        """
        if self.is_ending or self.wire.is_closing():
            return
        self.is_ending = self.is_deaf = True
        self._unset_keepalive_if_required()
        self._stop_head_clock()
        if self.in_head or self.in_body:
            with contextlib.suppress(OSError, RuntimeError):
                self.wire.write_eof()
            self.flow.resume_reading()
            self.head_clock = self.loop.call_later(LINGER, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self.head_clock = None
        self.wire.close()
        self.send_clock.start()

    # Refusals of this layer.

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot become a request, after those before it. In the body of a request that is at work,
        that one's answer is the refusal; once it has begun to be answered it is cut off.
        """
        self._stop_head_clock()
        if self._is_idle:
            self._turn_away(refusal)
        elif self.in_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if any(self.cycle is waiting for waiting, _ in self.pipeline):
                self.is_deaf = True
            elif self.cycle.response_started:
                self.wire.abort()
            else:
                self._turn_away(refusal)
        else:
            self.is_deaf = True
            self.cycle.keep_alive = False

    def _turn_away(self, refusal: Refusal) -> None:
        peer = self.client[0] if self.client else None
        headers = self.headers or ()
        self.wire.write(self.answers.of(refusal, headers, self.server_state.default_headers, peer))
        self.in_head = True  # whatever was asked, more of it may come
        self.finish()

    def _told(self) -> None:
        self.places.told -= 1

    # Clocks.

    @property
    def _is_idle(self) -> bool:
        """Whether no request is at work."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _await_head(self) -> None:
        self._stop_head_clock()
        seconds = DRAIN if self.places.stopping else self.bounds.head_seconds
        if seconds:
            self.head_clock = self.loop.call_later(seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self.head_clock = None
        if self.in_head or self.since:
            self._refuse(Refusal("request_timeout"))
        else:
            self.timeout_keep_alive_handler()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked for a while: close, unless it just arrives."""
        if _unread(self.wire):
            self._await_head()
        else:
            self.transport.close()

    def _stop_head_clock(self) -> None:
        if self.head_clock is not None:
            self.head_clock.cancel()
            self.head_clock = None


class _Answered:
    """What uvicorn writes answers to: the transport, but for its end."""

    def __init__(self, protocol: Protocol) -> None:
        self.write = protocol.wire.write
        self.close = protocol.finish
        self.protocol = protocol

    def is_closing(self) -> bool:
        """Whether no further answer will be taken."""
        return self.protocol.wire.is_closing() or self.protocol.is_ending


def _unread(transport: asyncio.Transport) -> bool:
    """Whether bytes have arrived that were not read yet."""
    connection = transport.get_extra_info("socket")
    try:
        return bool(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0" * 4))[0])
    except (AttributeError, OSError):
        return False
