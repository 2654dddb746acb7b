"""How often a password or a device code may be guessed (RFC 8628 §5.1), counted with ``limits``: in memory, or in
Redis where several servers share the count.

A user code has 30^8 values (39 bits). Even 1,000 wrong codes an hour against 500 open ones leave a guesser a
chance below one in a million. A right answer never clears a counter: an attacker who owns one valid code or
password could otherwise buy new attempts with it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from store.refusal import Refusal

# An e-mail address has two rows: a stranger guessing from elsewhere must not lock its owner out at once.
BUCKETS: dict[str, RateLimitItem] = {
    "password.email_and_address": parse("10/15minutes"),
    "password.address": parse("40/15minutes"),
    "password.email": parse("100/hour"),
    "code.account": parse("10/hour"),
    "code.address": parse("30/hour"),
    "code.everyone": parse("1000/hour"),
}


def network(address: str) -> str:
    """The key an address is counted under: its /64 for IPv6, where a host may pick any address of that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


class Attempts:
    """The counters of one server. Buckets are separate: wrong codes never use up sign-in attempts."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._limiter = FixedWindowRateLimiter(_redis(redis_url) if redis_url else MemoryStorage())

    def check(self, keys: dict[str, str]) -> None:
        """Pass, or raise ``too_many_requests`` with ``Retry-After`` when one of the buckets is spent.

        In: bucket name -> whose counter (an address, an account id, …). Raises ``service_unavailable`` when the
        shared counters cannot be reached: a guess that is not counted is not allowed.
        """
        with _counted():
            for bucket, key in keys.items():
                if not self._limiter.test(BUCKETS[bucket], bucket, _whose(key)):
                    raise self._spent(bucket, key)

    def count(self, keys: dict[str, str]) -> None:
        """Count one attempt in each bucket; raise ``too_many_requests`` when it was one too many, or as
        ``check``.
        """
        with _counted():
            spent = [b for b, key in keys.items() if not self._limiter.hit(BUCKETS[b], b, _whose(key))]
            if spent:
                raise self._spent(spent[0], keys[spent[0]])

    def _spent(self, bucket: str, key: str) -> Refusal:
        reset = self._limiter.get_window_stats(BUCKETS[bucket], bucket, _whose(key)).reset_time
        wait = max(1, int(reset - time.time()) + 1)
        return Refusal("too_many_requests", headers={"Retry-After": str(wait)})


def _whose(key: str) -> str:
    """The key in the counters. Hashed: people type a password where the e-mail address belongs."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _counted() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise Refusal("service_unavailable", headers={"Retry-After": "5"}) from error


def _redis(url: str) -> Storage:
    # Imported only where Redis is used.
    from limits.storage import RedisStorage
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "retry": Retry(NoBackoff(), 1)}
    return RedisStorage(url, key_prefix="difyspec:pages", wrap_exceptions=True, **options)
