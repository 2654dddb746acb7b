"""A short memory of resolved tokens, bounded in time and size.

Unknown tokens are remembered too, so that a flood of one bad token costs one look-up a second, but in a small
table of their own: a flood of different ones must not push out the good.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from store.caller import Caller


class SessionCache:
    """Token hash → caller (or None), for ``lifetime_s`` seconds of monotonic time."""

    def __init__(self, *, lifetime_s: float, known: int, unknown: int) -> None:
        self.epoch = 0
        self._lifetime = lifetime_s
        self._limits = {True: known, False: unknown}
        self._tables: dict[bool, OrderedDict[str, tuple[float, Caller | None]]] = {
            True: OrderedDict(),
            False: OrderedDict(),
        }
        self._lock = Lock()

    def get(self, key: str, now: float) -> tuple[bool, Caller | None]:
        """(True, answer) if a fresh one is remembered, else (False, None)."""
        held = self._tables[True].get(key) or self._tables[False].get(key)
        if held is None or not held[0] <= now < held[0] + self._lifetime:
            return False, None
        return True, held[1]

    def put(self, key: str, caller: Caller | None, now: float, epoch: int) -> None:
        """Remember an answer, unless the cache was emptied since ``epoch``: then it may be what was just
        revoked."""
        with self._lock:
            if epoch != self.epoch:
                return
            table, limit = self._tables[caller is not None], self._limits[caller is not None]
            table[key] = (now, caller)
            table.move_to_end(key)
            while len(table) > limit:
                table.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, including answers that are being looked up right now."""
        with self._lock:
            self.epoch += 1
            for table in self._tables.values():
                table.clear()

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables.values())
