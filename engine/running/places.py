"""Places for work that takes turns: code, templates, documents, each with a few processes at once."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from engine.running.cancel import CancelToken


class Places:
    """A free place goes to the owner who has the fewest, so that the many runs of one app keep nobody else waiting for
    long; among an owner's own, first come, first served. Thread-safe.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[_Ticket]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def place(self, cancel: CancelToken) -> Iterator[None]:
        """Wait for a place and have it while the block runs. Raises `Cancelled` when the run ends before."""
        owner = cancel.owner
        ticket = self._ask(owner)
        try:
            with cancel.hook(ticket.called.set):
                ticket.called.wait()
            cancel.check()
            yield
        finally:
            self._leave(owner, ticket)

    def _ask(self, owner: str) -> _Ticket:
        ticket = _Ticket()
        with self._lock:
            self._waiting.setdefault(owner, deque()).append(ticket)
            self._call()
        return ticket

    def _leave(self, owner: str, ticket: _Ticket) -> None:
        with self._lock:
            if ticket.has_place:
                self._free += 1
                self._taken[owner] -= 1
                if not self._taken[owner]:
                    del self._taken[owner]
            else:
                self._waiting[owner].remove(ticket)
                if not self._waiting[owner]:
                    del self._waiting[owner]
            self._call()

    def _call(self) -> None:
        while self._free and self._waiting:
            owner = min(self._waiting, key=self._taken.__getitem__)
            ticket = self._waiting[owner].popleft()
            if not self._waiting[owner]:
                del self._waiting[owner]
            self._free -= 1
            self._taken[owner] += 1
            ticket.has_place = True
            ticket.called.set()


class _Ticket:
    def __init__(self) -> None:
        self.called, self.has_place = threading.Event(), False
