"""SQLite lets one write at a time; those of this process wait here, first come first served, and not for ever.

The threads that serve requests are few. While nothing moves, because another process holds the file's lock, only some
of them may wait: the others are refused at once, so that readers find a thread.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter, deque

from store import patience
from store.patience import Kind, Limits

STALLED_SECONDS = 0.5  # without a write that was done: somebody else has the lock
_MOST_OF_OTHERS = 3  # that may wait of the threads for pages (8), and of those for streams


class WritersWait(sqlite3.OperationalError):
    """The write lock was not to be had in time."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY
    sqlite_errorname = "SQLITE_BUSY"


class WriteQueue:
    """The lock that a writer of this process takes before the file's own."""

    def __init__(self, limits: Limits) -> None:
        self._wait, self._most = limits.wait_seconds, limits.waiting_writers
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._held = False
        # Threads that hold the lock or wait for it, by the pool they are of.
        self._requests: Counter[str] = Counter()
        self._moved = time.monotonic()

    def enter(self) -> float:
        """Wait for the lock; out: how many seconds are left for the file's. Errors: `WritersWait`."""
        now = time.monotonic()
        deadline = now + (0.0 if patience.is_hurried() else self._wait)
        with self._lock:
            if not self._held:
                self._count(1)
                self._held, self._moved = True, now
                return deadline - now
            is_extra = not self._may_stay()
            self._count(1)
            turn = threading.Event()
            (self._queue.appendleft if patience.kind() is Kind.KEEPER else self._queue.append)(turn)
        while not turn.wait(max(0.0, self._until(deadline, is_extra) - time.monotonic())):
            with self._lock:
                if turn.is_set():
                    break
                if time.monotonic() >= self._until(deadline, is_extra):
                    self._queue.remove(turn)
                    self._count(-1)
                    raise WritersWait("other writers hold the database's lock")
        return max(0.0, deadline - time.monotonic())

    def leave(self, *, done: bool) -> None:
        """Let the next one on; ``done`` if something was written, or could have been."""
        with self._lock:
            self._count(-1)
            if done:
                self._moved = time.monotonic()
            if self._queue:
                self._queue.popleft().set()
            else:
                self._held = False

    def _may_stay(self) -> bool:
        pool = patience.pool()
        most = self._most if pool == patience.REQUEST_POOL else _MOST_OF_OTHERS
        return patience.kind() is not Kind.REQUEST or self._requests[pool] < most

    def _count(self, step: int) -> None:
        if patience.kind() is Kind.REQUEST:
            self._requests[patience.pool()] += step

    def _until(self, deadline: float, is_extra: bool) -> float:
        return min(deadline, self._moved + STALLED_SECONDS) if is_extra else deadline
