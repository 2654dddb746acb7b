"""One thread that writes the waiting events of all runs every few milliseconds."""

from __future__ import annotations

import threading

from engine.log import FLUSH_SECONDS, EventLog


class Writer:
    """Gathers logs with unwritten events. `mark` is cheap and may be called for every event."""

    def __init__(self) -> None:
        self._dirty: set[EventLog] = set()
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def mark(self, log: EventLog) -> None:
        """Have a log written within a few milliseconds."""
        with self._wake:
            if log in self._dirty:
                return
            self._dirty.add(log)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="run-events", daemon=True)
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """Write what waits and end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(5)

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not self._dirty and not self._closed:
                    self._wake.wait()
                if self._closed and not self._dirty:
                    return
                # Wait a moment with the lock free, so that one write carries a burst.
                if not self._closed:
                    self._wake.wait(FLUSH_SECONDS)
                dirty, self._dirty = self._dirty, set()
            for log in dirty:
                log.flush()
