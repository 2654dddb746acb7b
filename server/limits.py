"""Stop "limit": how often an operation may be called, as the contract's ``x-rate-limit`` says.

Each bucket is counted on its own (sliding window, ``limits`` library): in memory, or in Redis where several
processes share them. A refused request is not counted. Every answer of a limited operation tells
``RateLimit-*`` (draft-ietf-httpapi-ratelimit-headers-07); a refusal also ``Retry-After`` (RFC 9110 §10.2.3).

While Redis is away, each process counts by itself; but an operation whose limit keeps guessers out
(``guards: guesses``) is refused, as nobody knows how many guesses the other processes have seen.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from server.shared_limits import SharedCounters
from store.refusal import Refusal

KINDS = ("address", "token", "account")
PER_TOKEN = "api"  # noqa: S105 - the bucket whose size is a setting


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``count`` requests in ``seconds``, for each address, token or account (``key``).

    ``is_guard``: the limit keeps guessers out.
    """

    bucket: str
    key: str
    count: int
    seconds: int
    is_guard: bool = False

    @property
    def item(self) -> RateLimitItemPerSecond:
        """The rule in the library's terms."""
        return RateLimitItemPerSecond(self.count, self.seconds)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the count of one request says. ``reset`` is in seconds from now."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """The header lines that tell it."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return told if self.allowed else {**told, "Retry-After": str(max(1, self.reset))}


class Counters:
    """The counters behind the rules. In: a Redis URL, or None to count in this process."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = SharedCounters(redis_url) if redis_url else None

    async def hit(self, rule: Rule, key: str) -> Outcome:
        """Count one request, unless the bucket is spent. Raises ``service_unavailable`` for a guard's rule
        while Redis is away.
        """
        counted = await self._shared.hit(rule.item, rule.bucket, key) if self._shared else None
        if counted is None:
            if self._shared and rule.is_guard:
                wait = {"Retry-After": str(self._shared.wait)}
                raise Refusal("service_unavailable", "Guesses cannot be counted right now; try again.", headers=wait)
            counted = (
                self._own.hit(rule.item, rule.bucket, key),
                self._own.get_window_stats(rule.item, rule.bucket, key),
            )
        allowed, stats = counted
        reset = max(0, math.ceil(stats.reset_time - time.time()))
        return Outcome(allowed, rule.count, stats.remaining if allowed else 0, reset)


def rules_of(raw: dict[str, Any], is_bearer: bool, per_token: int) -> list[Rule]:
    """The rules of one operation, in the contract's order.

    In: its raw object with ``x-rate-limit`` (a list of ``{bucket, key, limit, window, guards?}``, the window
    in seconds), whether it takes a bearer, and the requests a minute that every token has, which replace the
    contract's number for the bucket ``api`` (0: no such limit).
    """
    rules = [_rule(item, per_token) for item in raw.get("x-rate-limit", [])]
    if is_bearer and not any(rule.key == "token" for rule in rules):
        rules.append(Rule(PER_TOKEN, "token", per_token, 60))
    return [rule for rule in rules if rule.count > 0]


def _rule(item: dict[str, Any], per_token: int) -> Rule:
    key, bucket = item["key"], item["bucket"]
    if key not in KINDS:
        raise ValueError(f"x-rate-limit: key is one of {', '.join(KINDS)}, not {key!r}")
    count = per_token if bucket == PER_TOKEN else int(item["limit"])
    return Rule(bucket, key, count, int(item["window"]), item.get("guards") == "guesses")


def digest(secret: bytes) -> str:
    """The key a token is counted under; the secret itself goes to no counter."""
    return hashlib.sha256(secret).hexdigest()
