"""Deadlines for many runs on one thread (a `threading.Timer` each would be a thread each)."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Timers:
    """Calls functions later, in order of their deadline. The functions must be quick."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._actions: dict[int, Callable[[], None]] = {}
        self._count = itertools.count(1)
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, action: Callable[[], None]) -> int:
        """Call ``action`` in ``seconds``. Returns the number that `cancel` takes."""
        with self._wake:
            key = next(self._count)
            self._actions[key] = action
            heapq.heappush(self._heap, (time.monotonic() + seconds, key))
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="run-timers", daemon=True)
                self._thread.start()
            self._wake.notify()
            return key

    def cancel(self, key: int) -> None:
        """Forget a deadline; one that has already been called is no error."""
        with self._wake:
            self._actions.pop(key, None)

    def close(self) -> None:
        """End the thread; deadlines that are still open are forgotten."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _loop(self) -> None:
        while (action := self._next_due()) is not None:
            try:
                action()
            except Exception:
                logger.exception("A deadline's action failed")

    def _next_due(self) -> Callable[[], None] | None:
        with self._wake:
            while not self._closed:
                # Cancelled entries stay in the heap until they come to its top: dropping them here is cheap.
                while self._heap and self._heap[0][1] not in self._actions:
                    heapq.heappop(self._heap)
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return self._actions.pop(heapq.heappop(self._heap)[1])
                self._wake.wait(wait)
            return None
