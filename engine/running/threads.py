"""The threads that runs work on: as many as work at a time, not as many as there may be, shared out fairly."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from engine.running.shares import Shares
from store import db

logger = logging.getLogger(__name__)

Work = Callable[[], None]
Given = tuple[str, Work]  # whose it is, and what is to be done

IDLE_SECONDS = 10.0


class Threads:
    """At most ``size`` threads, of which a free one goes to whom `Shares` says: the many runs of one caller do not keep
    another's waiting. ``most`` bounds how many work for one owner at a time; 0 does not.

    The one that was busy last is taken first, and one that is idle for long ends: `concurrent.futures` begins a new one
    whenever all are about to be done, and keeps each, with its connection to the store, for good. The end of the
    process waits for those that work, unless they are ``daemon`` threads.
    """

    def __init__(
        self, size: int, idle_seconds: float = IDLE_SECONDS, *, most: int = 0, name: str = "run", daemon: bool = False
    ) -> None:
        self._size, self._idle_seconds, self._name, self._daemon = size, idle_seconds, name, daemon
        self._lock = threading.Lock()
        self._shares: Shares[Work] = Shares(most)
        self._idle: list[_Seat] = []
        self._count = 0
        self._closed = False

    def submit(self, owner: str, work: Work) -> None:
        """Have ``work`` done for ``owner`` as soon as a thread is free for it. Raises RuntimeError once closed."""
        with self._lock:
            if self._closed:
                raise RuntimeError("no more work is taken")
            self._shares.add(owner, work)
            if not self._idle and self._count == self._size:
                return
            chosen = self._shares.next()
            if chosen is None:
                return
            if self._idle:
                self._idle.pop().give(chosen)
                return
            self._count += 1
        threading.Thread(target=self._loop, args=(chosen,), name=self._name, daemon=self._daemon).start()

    def waiting(self, owner: str) -> int:
        """How much of an owner's work has not begun."""
        with self._lock:
            return self._shares.waiting(owner)

    def close(self) -> None:
        """Forget what waits, and let the threads end that have nothing to do; the others end when they are done."""
        with self._lock:
            self._closed = True
            self._shares.clear()
            idle, self._idle = self._idle, []
        for seat in idle:
            seat.give(None)

    def _loop(self, given: Given | None) -> None:
        seat = _Seat()
        while given is not None:
            owner, work = given
            try:
                work()
            except Exception:
                logger.exception("A thread's work broke")
            given = self._next(seat, owner)
        db.leave_thread()

    def _next(self, seat: _Seat, owner: str) -> Given | None:
        """What a thread does that is done with some work of ``owner``; None: it ends."""
        with self._lock:
            self._shares.done(owner)
            if chosen := self._shares.next():
                return chosen
            if self._closed:
                self._count -= 1
                return None
            self._idle.append(seat)
        if not seat.given.wait(self._idle_seconds):
            with self._lock:
                if seat in self._idle:
                    self._idle.remove(seat)
                    self._count -= 1
                    return None
        seat.given.clear()
        return seat.next


class _Seat:
    """Where an idle thread is handed its next work; None is the end."""

    def __init__(self) -> None:
        self.given = threading.Event()
        self.next: Given | None = None

    def give(self, given: Given | None) -> None:
        self.next = given
        self.given.set()
