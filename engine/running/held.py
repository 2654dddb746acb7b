"""How much the runs at work in this process hold in memory, by whose they are."""

from __future__ import annotations

import threading
from collections import Counter


class Held:
    """Characters of events and values. ``most`` bounds those of one subject's runs together; 0 does not.

    Attack: what one run may hold, a hundred of one caller may hold each.
    """

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self._by: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, subject: str, count: int) -> bool:
        """Take note of more (or less) that a subject's runs hold; False when it is more than they may."""
        with self._lock:
            self._by[subject] += count
            now = self._by[subject]
            if not now:
                del self._by[subject]
        return not self.most or now <= self.most

    def of(self, subject: str) -> int:
        """What a subject's runs hold now."""
        with self._lock:
            return self._by[subject]
