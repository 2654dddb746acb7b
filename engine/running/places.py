"""Places for work that takes turns: code, templates, documents, each with a few processes at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engine.running.cancel import CancelToken
from engine.running.shares import Shares


class Places:
    """A free place goes to whom `Shares` says. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._shares: Shares[_Ticket] = Shares()
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
            self._shares.add(owner, ticket)
            self._call()
        return ticket

    def _leave(self, owner: str, ticket: _Ticket) -> None:
        with self._lock:
            if ticket.has_place:
                self._free += 1
                self._shares.done(owner)
            else:
                self._shares.remove(owner, ticket)
            self._call()

    def _call(self) -> None:
        while self._free and (chosen := self._shares.next()):
            _, ticket = chosen
            self._free -= 1
            ticket.has_place = True
            ticket.called.set()


class _Ticket:
    def __init__(self) -> None:
        self.called, self.has_place = threading.Event(), False
