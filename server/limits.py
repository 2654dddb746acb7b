"""Stop "limit": how often an operation may be called, as the contract's ``x-rate-limit`` says.

Each bucket is counted on its own (sliding window, ``limits`` library): in memory, or in Redis where several
processes share them. A refused request is not counted. Every answer of a limited operation tells
``RateLimit-*`` (draft-ietf-httpapi-ratelimit-headers-07); a refusal also ``Retry-After`` (RFC 9110 §10.2.3).
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

KINDS = ("address", "token", "account")
PER_TOKEN = "api"  # noqa: S105 - the bucket whose size is a setting


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``count`` requests in ``seconds``, for each address, token or account (``key``)."""

    bucket: str
    key: str
    count: int
    seconds: int

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
        self._shared = _shared(redis_url) if redis_url else None

    async def hit(self, rule: Rule, key: str) -> Outcome:
        """Count one request, unless the bucket is spent."""
        item = rule.item
        if self._shared is not None:
            allowed = await self._shared.hit(item, rule.bucket, key)
            stats = await self._shared.get_window_stats(item, rule.bucket, key)
        else:
            allowed = self._own.hit(item, rule.bucket, key)
            stats = self._own.get_window_stats(item, rule.bucket, key)
        reset = max(0, math.ceil(stats.reset_time - time.time()))
        return Outcome(allowed, rule.count, stats.remaining if allowed else 0, reset)


def _shared(redis_url: str) -> Any:
    # Imported only where Redis is used: it costs a tenth of a second of the start.
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import MovingWindowRateLimiter as AsyncMovingWindow

    return AsyncMovingWindow(RedisStorage(f"async+{redis_url}", implementation="redispy"))


def rules_of(raw: dict[str, Any], is_bearer: bool, per_token: int) -> list[Rule]:
    """The rules of one operation, in the contract's order.

    In: its raw object with ``x-rate-limit`` (a list of ``{bucket, key, limit, window}``, the window in
    seconds), whether it takes a bearer, and the requests a minute that every token has, which replace the
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
    return Rule(bucket, key, per_token if bucket == PER_TOKEN else int(item["limit"]), int(item["window"]))


def digest(secret: bytes) -> str:
    """The key a token is counted under; the secret itself goes to no counter."""
    return hashlib.sha256(secret).hexdigest()
