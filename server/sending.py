"""How long a client may take to read what is written to it: one that reads nothing is kept by nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from asyncio import TimerHandle

LEAST_READ = 16 * 1024  # bytes that a client has to take of an answer within the time for sending


class SendClock:
    """Of one connection. In: its loop and transport, and the seconds in which ``LEAST_READ`` has to go; 0: any time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wire: asyncio.Transport, seconds: float) -> None:
        self._loop, self._wire, self._seconds = loop, wire, seconds
        self._timer: TimerHandle | None = None
        self._unsent = 0

    def start(self) -> None:
        """Watch what is not sent yet, if there is any; it ends by itself when nothing is left."""
        self._unsent = self._wire.get_write_buffer_size()
        if self._unsent and self._timer is None and self._seconds:
            self._timer = self._loop.call_later(self._seconds, self._run_out)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run_out(self) -> None:
        self._timer = None
        if self._unsent - self._wire.get_write_buffer_size() < min(LEAST_READ, self._unsent):
            cut(self._wire)
        else:
            self.start()


def cut(wire: asyncio.Transport) -> None:
    """End a connection now. Without this the kernel would go on offering what the client does not take."""
    with contextlib.suppress(AttributeError, OSError):
        connection = wire.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.abort()
