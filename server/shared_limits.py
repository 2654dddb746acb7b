"""Counters in Redis, for several servers that share their limits; how long they wait when Redis is away.

A Redis that hangs must not hang the server, and one that is gone must not be asked by every request: after a
failure nobody asks for ``REST`` seconds. What is counted meanwhile is the caller's decision.
"""

from __future__ import annotations

import time
from typing import Any

import structlog

PREFIX = "difyspec"
PATIENCE = 1.0  # seconds for one command
REST = 5.0  # seconds without asking, after a failure
log = structlog.get_logger("limits")


class SharedCounters:
    """Sliding windows in Redis. In: its URL. Keys are ``difyspec:LIMITER/<bucket>/<whose>/…``; secrets come
    hashed (``server.limits.digest``).
    """

    def __init__(self, url: str) -> None:
        # Imported only where Redis is used: it costs a tenth of a second of the start.
        from limits.aio.storage import RedisStorage
        from limits.aio.strategies import MovingWindowRateLimiter
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._errors: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        options: dict[str, Any] = {
            "socket_timeout": PATIENCE,
            "socket_connect_timeout": PATIENCE,
            "retry": Retry(NoBackoff(), 1),  # once: the connection may be of a Redis that was restarted
        }
        storage = RedisStorage(f"async+{url}", implementation="redispy", key_prefix=PREFIX, **options)
        self._limiter = MovingWindowRateLimiter(storage)
        self._away_until: float | None = None

    @property
    def wait(self) -> int:
        """Seconds until Redis is asked again; at least 1."""
        return max(1, round((self._away_until or 0) - time.monotonic()))

    async def hit(self, item: Any, bucket: str, key: str) -> tuple[bool, Any] | None:
        """Count one request; out: whether it is allowed and the window's state, or None while Redis is away."""
        if self._away_until is not None and time.monotonic() < self._away_until:
            return None
        try:
            allowed = await self._limiter.hit(item, bucket, key)
            stats = await self._limiter.get_window_stats(item, bucket, key)
        except self._errors as error:
            log.warning("redis is away; rate limits are counted by this process alone", error=type(error).__name__)
            self._away_until = time.monotonic() + REST
            return None
        if self._away_until is not None:
            log.info("redis is back; rate limits are shared again")
            self._away_until = None
        return allowed, stats
