"""Who is next where there is not enough for all: whoever has least of it."""

from __future__ import annotations

from collections import Counter, deque


class Shares[T]:
    """What waits, by owner. The next is of the owner who has the fewest at work; of owners who have as many, of the one
    who has waited longest since one of theirs was chosen; among an owner's own, first come, first served. So the many
    of one owner keep nobody else waiting for longer than one of theirs takes. ``most`` bounds how many of one owner's
    are at work at a time; 0 does not.

    Not thread-safe: who uses it holds a lock.
    """

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self.taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def waiting(self, owner: str) -> int:
        """How many of an owner's wait."""
        return len(self._waiting.get(owner, ()))

    def add(self, owner: str, item: T) -> None:
        """Have something wait."""
        self._waiting.setdefault(owner, deque()).append(item)

    def next(self) -> tuple[str, T] | None:
        """Choose who is next, who is at work from then on; None when nobody waits who may work."""
        owner = min(self._waiting, key=self.taken.__getitem__, default="")
        if not self._waiting or (self._most and self.taken[owner] >= self._most):
            return None
        # Behind the others who wait, or one with a long queue would win each draw.
        queue = self._waiting.pop(owner)
        item = queue.popleft()
        if queue:
            self._waiting[owner] = queue
        self.taken[owner] += 1
        return owner, item

    def done(self, owner: str) -> None:
        """One of an owner's is at work no more."""
        self.taken[owner] -= 1
        if not self.taken[owner]:
            del self.taken[owner]

    def remove(self, owner: str, item: T) -> None:
        """Let something wait no longer. ValueError when it does not wait."""
        queue = self._waiting.get(owner, deque())
        queue.remove(item)
        if not queue:
            del self._waiting[owner]

    def clear(self) -> None:
        """Let nothing wait any more."""
        self._waiting.clear()
