"""One thread that writes the waiting events of all runs, as soon as they are told."""

from __future__ import annotations

import threading
import time

from engine.log import EventLog

# Between two rounds, so that under load one write carries many events. The first event of a quiet moment does
# not wait: its reader sees it when it is stored.
GATHER_SECONDS = 0.005
_RETRY_SECONDS = 0.5


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
        wrote = 0.0
        while True:
            with self._wake:
                while not self._dirty and not self._closed:
                    self._wake.wait()
                if not self._dirty:
                    return
            time.sleep(max(0.0, wrote + GATHER_SECONDS - time.monotonic()))
            with self._wake:
                dirty, self._dirty = self._dirty, set()
            failed = {log for log in dirty if not log.flush()}
            wrote = time.monotonic()
            if failed:
                with self._wake:
                    if self._closed:
                        return
                    self._dirty |= failed
                    self._wake.wait(_RETRY_SECONDS)
