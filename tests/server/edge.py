"""A server with real sockets in a thread of this process, and a client that writes bytes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

import server.run
from server.app import create_app
from server.connections import Connections
from server.early_answers import EarlyAnswers
from server.heads import Bounds
from server.protocol import Protocol
from tests.server.conftest import CONTRACT, HANDLERS, settings_in
from tests.waiting import HANG

GET = b"GET /tiny/health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /tiny/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@dataclass
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(HANG)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, port))
        self.kept = b""

    def send(self, data: bytes) -> Wire:
        """Write; a server that has already closed is no error, for its answer may be there."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def until(self, mark: bytes) -> bytes:
        """What came up to and with a mark; the rest is kept."""
        while mark not in self.kept:
            data = self.socket.recv(65536)
            assert data, f"closed before {mark!r}: {self.kept!r}"
            self.kept += data
        found, _, self.kept = self.kept.partition(mark)
        return found + mark

    def answer(self) -> Answer:
        """The next answer, of a stated length."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        status, size = int(lines[0].split()[1]), int(headers.get("content-length", 0))
        while len(self.kept) < size:
            self.kept += self.socket.recv(65536)
        body, self.kept = self.kept[:size], self.kept[size:]
        return Answer(status, headers, body)

    def is_closed(self) -> bool:
        """Wait for the server's end of the connection: True, or TimeoutError. What still comes is thrown away."""
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass
        self.socket.close()
        return True


class Edge:
    """The tiny app as `difyspec serve` would serve it, on a free port."""

    def __init__(self, folder: Path, handlers: dict[str, Callable[..., Any]], count_loopback: bool, **more: Any):
        settings = settings_in(folder, port=0, public_url="", log_level="error", **more)
        app = create_app(settings, contract=CONTRACT, handlers={**HANDLERS, **handlers}, with_pages=False)
        started = threading.Event()
        self.server = server.run.Server(settings, app, started.set)
        self.server.config.lifespan = "off"  # a process has one store, and these apps need none
        if count_loopback:
            self.server.connections.exempt = ()
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        assert started.wait(HANG)
        self.port: int = self.server.servers[0].sockets[0].getsockname()[1]

    @property
    def connections(self) -> Connections:
        return self.server.connections

    def wire(self, **options: Any) -> Wire:
        """A new connection."""
        return Wire(self.port, **options)

    def __call__(self, data: bytes) -> Answer:
        """The first answer to these bytes on a connection of their own."""
        return self.wire().send(data).answer()

    def stop(self) -> None:
        """As a signal does."""
        self.server.should_exit = True


@contextlib.contextmanager
def served(
    folder: Path, handlers: dict[str, Callable[..., Any]] | None = None, count_loopback: bool = False, **more: Any
) -> Iterator[Edge]:
    """An `Edge` with other handlers and settings, within the ``with``."""
    edge = Edge(folder, handlers or {}, count_loopback, **more)
    try:
        yield edge
    finally:
        edge.stop()
        edge.thread.join(HANG)
        assert not edge.thread.is_alive()


@dataclass
class Clock:
    """A timer that a test lets run out."""

    seconds: float
    act: Callable[[], object]
    is_on: bool = True

    def cancel(self) -> None:
        self.is_on = False

    def run_out(self) -> None:
        self.is_on = False
        self.act()


@dataclass
class Hand:
    """A transport and a loop in a test's hand: what was written, whether it has ended, its clocks."""

    written: bytes = b""
    half_closed: bool = False
    ended: bool = False
    unsent: int = 0
    clocks: list[Clock] = field(default_factory=list)
    pair: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def call_later(self, seconds: float, act: Callable[[], object]) -> Clock:
        self.clocks.append(Clock(seconds, act))
        return self.clocks[-1]

    @property
    def running(self) -> list[Clock]:
        return [clock for clock in self.clocks if clock.is_on]

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.ended = True

    abort = close

    def write_eof(self) -> None:
        self.half_closed = True

    def is_closing(self) -> bool:
        return self.ended

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.pair[0] if name == "socket" else default

    def pause_reading(self) -> None: ...

    resume_reading = pause_reading


def alone(bounds: Bounds) -> tuple[Protocol, Hand]:
    """A protocol without a server."""
    config, hand = uvicorn.Config(lambda: None, http=Protocol, lifespan="off", ws="none", log_config=None), Hand()
    protocol = Protocol(
        config, ServerState(), {}, hand,
        bounds=bounds, connections=Connections(0, 0), answers=EarlyAnswers("1", access=False),
    )  # fmt: skip
    protocol.connection_made(hand)  # type: ignore[arg-type]
    return protocol, hand
