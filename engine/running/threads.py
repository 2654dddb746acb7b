"""The threads that runs work on: as many as work at a time, not as many as there may be, shared out fairly."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from engine.running.shares import Shares
from store import db

logger = logging.getLogger(__name__)

Work = Callable[[], None]
Given = tuple[str, Work]  # whose it is, and what is to be done
_Seat = SimpleQueue[Given | None]  # where an idle thread is handed its next work; None is the end

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
                self._idle.pop().put(chosen)
                return
            self._count += 1
        threading.Thread(target=self._loop, args=(chosen,), name=self._name, daemon=self._daemon).start()

    def call[R](self, owner: str, function: Callable[[], R]) -> Future[R]:
        """Like `submit`; the future has what ``function`` returns or raises. If it is cancelled before its turn,
        nothing is called. Raises RuntimeError once closed.
        """
        future: Future[R] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function()
            except BaseException as problem:
                future.set_exception(problem)
            else:
                future.set_result(result)

        self.submit(owner, work)
        return future

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
            seat.put(None)

    def _loop(self, given: Given | None) -> None:
        seat: _Seat = SimpleQueue()
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
        try:
            return seat.get(timeout=self._idle_seconds)
        except Empty:
            with self._lock:
                if seat in self._idle:
                    self._idle.remove(seat)
                    self._count -= 1
                    return None
        return seat.get()  # it was handed some in that moment
