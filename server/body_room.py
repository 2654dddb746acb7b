"""How many bytes of request bodies are held at a time, in all, and whose they are.

A body is collected before anybody knows who sends it. Each is bounded, but strangers with many connections would fill
the memory, or the disk, with bodies that never become whole. Where there is no room left, the network that holds most
loses what it has sent of its oldest one, so that whoever sends little is served all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Scope

from server.address import Networks, of_scope
from store import networks


class BodyRoom:
    """In: the most bytes (0: no limit), and the proxies whose word on addresses is believed. Used on the event loop
    only.
    """

    def __init__(self, most: int = 0, trusted: Networks = ()) -> None:
        self.most, self.trusted = most, trusted
        self.total = 0
        self.held: Counter[str] = Counter()  # by network
        self.arriving: dict[str, dict[Place, None]] = {}  # the oldest first

    @contextmanager
    def place(self, scope: Scope, drop: Callable[[], object]) -> Iterator[Place]:
        """A place for the body of a request, for a block. ``drop`` throws away what was collected of it."""
        place = Place(self, networks.network(of_scope(scope, self.trusted)) if self.most else "", drop)
        try:
            yield place
        finally:
            place.leave()


class Place:
    """The bytes that are held of one body."""

    def __init__(self, room: BodyRoom, owner: str, drop: Callable[[], object]) -> None:
        self._room, self._owner, self._drop = room, owner, drop
        self._size = 0
        self._is_cut = False
        if room.most:
            room.arriving.setdefault(owner, {})[self] = None

    def take(self, size: int) -> bool:
        """Hold so many bytes more; False where there is no room for them, or none any more for what was held."""
        room = self._room
        if not room.most:
            return True
        while not self._is_cut and room.total + size > room.most:
            largest = max(room.held, key=room.held.__getitem__, default=self._owner)
            of_it = room.arriving.get(largest)
            if not of_it or room.held[largest] <= room.held[self._owner] + size:
                return False
            next(iter(of_it))._cut()
        if not self._is_cut:
            room.held[self._owner] += size
            room.total += size
            self._size += size
        return not self._is_cut

    def arrived(self) -> None:
        """The body is whole: it is not dropped for another's."""
        of_it = self._room.arriving.get(self._owner, {})
        if of_it.pop(self, self) is None and not of_it:
            del self._room.arriving[self._owner]

    def leave(self) -> None:
        """Hold none any more; again, nothing happens."""
        self.arrived()
        room, size = self._room, self._size
        if size:
            self._size = 0
            room.total -= size
            room.held[self._owner] -= size
            if not room.held[self._owner]:
                del room.held[self._owner]

    def _cut(self) -> None:
        self._is_cut = True
        self._drop()
        self.leave()
