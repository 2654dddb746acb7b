"""Waking whoever waits on a connection, from another thread."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any


class KeptSockets:
    """The connections of one piece of work. Closing a socket does not wake its reader; shutting it down does."""

    def __init__(self) -> None:
        self._kept: list[socket.socket] = []
        self._lock = threading.Lock()
        self._aborted = False

    def keep(self, stream: Any) -> None:
        """Remember the connection of an httpcore stream; after an abort it ends at once."""
        # A second handle on the connection: TLS takes the first one over, and `abort` must still reach it.
        handle = stream.get_extra_info("socket").dup()
        with self._lock:
            self._kept.append(handle)
            if self._aborted:
                _shut(handle)

    def abort(self) -> None:
        """Wake whoever waits on one of the connections."""
        with self._lock:
            self._aborted = True
            for handle in self._kept:
                _shut(handle)

    def close(self) -> None:
        """Let go of the second handles."""
        with self._lock:
            for handle in self._kept:
                handle.close()
            self._kept.clear()


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)
