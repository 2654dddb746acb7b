"""Attempts that are counted because they may be guesses or floods, by handlers and by pages, in one place.

Charges are given narrow first. The first bucket that is spent refuses, and nothing wider is charged: else one
stranger, refused by a bucket of his own, would use up the one that he shares with others, and lock them out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from store.refusal import Refusal
from store.shared_windows import SharedWindows
from store.windows import Bucket, Outcome, Windows

Charge = tuple[Bucket, str]  # and whose it is: an address, an account's id, …


class Attempts:
    """The counts of one server. In: the URL of the Redis that shares them; None counts in this process."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._windows: Windows | SharedWindows = SharedWindows(redis_url) if redis_url else Windows()

    def look(self, charges: Iterable[Charge]) -> Outcome:
        """The tightest of the buckets, with nothing counted. Raises as ``count``."""
        return self._walk(charges, counts=False)

    def count(self, charges: Iterable[Charge]) -> Outcome:
        """Count one attempt in each bucket, narrow first; out: the tightest of them.

        Raises ``too_many_requests`` with ``Retry-After`` at the first that is spent, before anything wider is charged;
        ``service_unavailable`` when shared counts cannot be reached: a guess that is not counted is not allowed.
        """
        return self._walk(charges, counts=True)

    def _walk(self, charges: Iterable[Charge], counts: bool) -> Outcome:
        tightest: Outcome | None = None
        ask = self._windows.hit if counts else self._windows.look
        for bucket, key in charges:
            outcome = ask(bucket, _whose(key))
            if not outcome.allowed:
                raise Spent(bucket, outcome)
            if tightest is None or outcome.remaining < tightest.remaining:
                tightest = outcome
        if tightest is None:
            raise ValueError("an attempt is counted in one bucket at least")
        return tightest


class Spent(Refusal):
    """``too_many_requests``, and which bucket it was."""

    def __init__(self, bucket: Bucket, outcome: Outcome) -> None:
        told = f"Too many attempts; try again in {max(1, outcome.reset)} seconds."
        super().__init__("too_many_requests", told, headers=outcome.headers())
        self.bucket = bucket


def _whose(key: str) -> str:
    """The key of a count. Hashed: people type a password where the e-mail address belongs."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
