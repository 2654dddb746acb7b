"""Time and randomness that stand still: the doubles the tests hand to the store."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
from datetime import UTC, datetime, timedelta

from store.clock import Clock, Ids


class FakeClock(Clock):
    """A clock that moves only when told to; wall and monotonic time together, unless only one is set."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 11, 23, 18, 38, 22, tzinfo=UTC)
        self.ticks = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock, as an operator or NTP would; monotonic time does not notice."""
        self.wall += timedelta(seconds=seconds)


class FakeIds(Ids):
    """The same ids, tokens and codes in every run, each of them once."""

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._random = random.Random(7)

    def uuid7(self) -> str:
        return f"01900000-0000-7000-8000-{next(self._count):012x}"

    def token(self, nbytes: int) -> str:
        digest = hashlib.sha512(f"token {next(self._count)}".encode()).digest()[:nbytes]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def pick(self, alphabet: str, n: int) -> str:
        return "".join(self._random.choice(alphabet) for _ in range(n))
