"""The connections of one process to PostgreSQL: a stated number, handed to transactions instead of threads.

A transaction that finds none free waits for its turn, first come first served; after a stated time it is refused. Some
are kept for what looks after all runs, and neither requests nor runs may take so many that the other has none.

When the server itself has none left, the pool makes do with those it has, and asks for more a moment later.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import extensions

from store import faults, patience
from store.patience import Kind

RESERVED = 2  # for what looks after all runs: their events, their leases, the streams that wait for them
_REST = 1.0  # seconds without asking for more, after the server had none


class PoolExhausted(psycopg2.OperationalError):
    """No connection became free in time."""


class _Waiter:
    """A thread that waits for its turn. A plain lock is its signal: most need none, and an Event takes long to make."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.granted = kind, False
        self._signal = threading.Lock()
        self._signal.acquire()

    def grant(self) -> None:
        self.granted = True
        self._signal.release()

    def withdraw(self) -> None:
        self.granted, self._signal = False, threading.Lock()
        self._signal.acquire()

    def wait(self, seconds: float) -> bool:
        """Whether it was granted within so many seconds."""
        return self.granted or self._signal.acquire(timeout=seconds)


class Pool:
    """What Pony asks of a pool: `connect`, `release`, `drop`, `disconnect`.

    ``connect_one`` opens a connection; at most ``size`` are open. `connect` waits up to ``wait_seconds``.
    """

    def __init__(self, connect_one: Callable[[], Any], size: int, wait_seconds: float) -> None:
        self._connect_one, self._size, self._wait = connect_one, size, wait_seconds
        self._lock = threading.Lock()
        self._free: list[Any] = []  # the one that was used last is used next
        self._held = [0 for _ in Kind]
        self._queue: deque[_Waiter] = deque()
        self._owners: dict[int, Kind] = {}
        self._open = 0
        self._scarce_until = 0.0
        self._closed = False

    def connect(self) -> tuple[Any, bool]:
        """A connection for the calling thread, and whether it is new.

        Errors: `PoolExhausted`; psycopg2's OperationalError when the server cannot be reached.
        """
        thread, deadline = threading.get_ident(), time.monotonic() + self._wait
        if thread in self._owners:
            # It would wait for itself as soon as all others do the same.
            raise RuntimeError("a transaction takes a second connection")
        waiter = _Waiter(patience.kind())
        try:
            self._take_turn(waiter, deadline, first=False)
            found = self._found(waiter, deadline)
        except BaseException:
            with self._lock:
                self._leave(waiter)
            raise
        self._owners[thread] = waiter.kind
        return found

    def release(self, connection: Any) -> None:
        """Take a connection back, with nothing left of its transaction."""
        try:
            if connection.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE:
                connection.rollback()
        except BaseException:
            self.drop(connection)
            raise
        kind = self._owners.pop(threading.get_ident())
        with self._lock:
            if self._closed or connection.closed:
                self._open -= 1
                connection.close()
            else:
                self._free.append(connection)
            self._give_back(kind)

    def drop(self, connection: Any) -> None:
        """Forget a connection that is broken. Those that are free were most likely cut with it."""
        kind = self._owners.pop(threading.get_ident())
        with self._lock:
            broken, self._free = [*self._free, connection], []
            self._open -= len(broken)
            self._give_back(kind)
        for one in broken:
            one.close()

    def disconnect(self) -> None:
        """Close what is free now, and the others as they come back."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
            self._open -= len(free)
        for one in free:
            one.close()

    def _take_turn(self, waiter: _Waiter, deadline: float, *, first: bool) -> None:
        with self._lock:
            if not self._queue and self._is_admitted(waiter):
                return
            (self._queue.appendleft if first or waiter.kind is Kind.KEEPER else self._queue.append)(waiter)
            self._admit()
        if not waiter.wait(max(0.0, deadline - time.monotonic())) and not self._is_late(waiter):
            raise PoolExhausted(f"all {self._size} connections of this process are in use")

    def _is_late(self, waiter: _Waiter) -> bool:
        """Whether it was a thread's turn just when it gave up; if not, it waits no longer."""
        with self._lock:
            if not waiter.granted:
                self._queue.remove(waiter)
            return waiter.granted

    def _found(self, waiter: _Waiter, deadline: float) -> tuple[Any, bool]:
        """A free connection or a new one, for a thread whose turn it is."""
        while True:
            with self._lock:
                if self._free:
                    return self._free.pop(), False
                self._open += 1
            try:
                return self._connect_one(), True
            except BaseException as problem:
                with self._lock:
                    self._open -= 1
                    self._scarce_until = time.monotonic() + _REST
                    others = self._open
                    if not _passes(problem) or time.monotonic() + patience.RETRY_SECONDS > deadline:
                        raise
                    if others:
                        self._leave(waiter)
            if others:
                self._take_turn(waiter, deadline, first=True)
            else:
                time.sleep(patience.RETRY_SECONDS)

    def _admit(self) -> None:
        """Give their turn to those who wait, as far as there is room for them; with the lock held."""
        if not self._queue:
            return
        for waiter in list(self._queue):
            if sum(self._held) >= self._most():
                return
            if self._is_admitted(waiter):
                self._queue.remove(waiter)

    def _is_admitted(self, waiter: _Waiter) -> bool:
        if sum(self._held) >= self._most() or not self._has_room(waiter.kind):
            return False
        self._held[waiter.kind] += 1
        waiter.grant()
        return True

    def _most(self) -> int:
        return max(1, self._open) if time.monotonic() < self._scarce_until else self._size

    def _has_room(self, kind: Kind) -> bool:
        if kind is Kind.KEEPER:
            return True
        shared = max(1, self._most() - RESERVED)
        each = max(1, shared * 3 // 4)
        both = self._held[Kind.REQUEST] + self._held[Kind.RUN]
        return both < shared and self._held[kind] < each

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.granted:
            waiter.withdraw()
            self._give_back(waiter.kind)
        elif waiter in self._queue:  # interrupted while it waited: nobody would take the turn it is given
            self._queue.remove(waiter)

    def _give_back(self, kind: Kind) -> None:
        self._held[kind] -= 1
        self._admit()


def _passes(problem: BaseException) -> bool:
    return isinstance(problem, psycopg2.OperationalError) and faults.is_passing_refusal(problem)
