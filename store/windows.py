"""How often something may happen: fixed windows, counted in this process, in a table that cannot grow without bound.

A window begins with the first hit of a key and lasts as long as its bucket says; then the count is forgotten. So at
most ``2 * limit`` hits fall into any time as long as one window. `store.shared_windows` counts the same in Redis.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from store.clock import current

# Keys of one bucket. Whoever wants to push out the count of one key (about 300 bytes) must begin so many windows of
# the same bucket first, each of which costs a hit of the narrower bucket of an address.
MOST_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most ``limit`` hits of one key in ``seconds``."""

    name: str
    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the count of one hit says. ``reset``: seconds from now until the window ends, rounded up."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """The header lines that tell it (draft-ietf-httpapi-ratelimit-headers-07; RFC 9110 §10.2.3)."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return told if self.allowed else {**told, "Retry-After": str(max(1, self.reset))}


class Windows:
    """The counts of this process, for any number of threads. ``most``: keys of one bucket that are remembered."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._most = most
        # By bucket: key -> [hits, end of the window]. Windows of a bucket are equally long, so they end in the order
        # in which they began: what has ended stands at the front.
        self._tables: dict[str, OrderedDict[str, list[float]]] = {}
        self._lock = Lock()

    def hit(self, bucket: Bucket, key: str) -> Outcome:
        """Count one hit, unless the bucket is spent. In: whose it is."""
        now = current().monotonic()
        with self._lock:
            table = self._tables.setdefault(bucket.name, OrderedDict())
            window = table.get(key)
            if window is None or window[1] <= now:
                table.pop(key, None)
                self._make_room(table, now)
                window = table[key] = [0, now + bucket.seconds]
            allowed = window[0] < bucket.limit
            window[0] += allowed
            return _outcome(bucket, allowed, window[0], window[1] - now)

    def look(self, bucket: Bucket, key: str) -> Outcome:
        """What a hit would meet now; nothing is counted."""
        now = current().monotonic()
        with self._lock:
            table = self._tables.get(bucket.name)
            window = table.get(key) if table else None
            if window is None or window[1] <= now:
                return _outcome(bucket, bucket.limit > 0, 0, bucket.seconds)
            return _outcome(bucket, window[0] < bucket.limit, window[0], window[1] - now)

    def _make_room(self, table: OrderedDict[str, list[float]], now: float) -> None:
        while table:
            first = next(iter(table))
            if table[first][1] > now and len(table) < self._most:
                return
            del table[first]

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables.values())


def _outcome(bucket: Bucket, allowed: bool, hits: float, left: float) -> Outcome:
    return Outcome(allowed, bucket.limit, max(0, bucket.limit - int(hits)), math.ceil(left))
