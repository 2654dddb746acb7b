"""Counts in Redis, for several servers that share their limits; how long they wait when Redis is away.

A Redis that hangs must not hang the server, and one that is gone must not be asked by every request: after a
failure nobody asks for ``REST`` seconds. What is counted meanwhile is the caller's decision.
"""

from __future__ import annotations

from typing import Any

import structlog

from store.clock import current
from store.shared_windows import PATIENCE, REST, SCRIPT, arguments, name_of, outcome
from store.windows import Bucket, Outcome

log = structlog.get_logger("limits")


class SharedCounters:
    """In: the URL of the Redis. Secrets come hashed."""

    def __init__(self, url: str) -> None:
        # Imported only where Redis is used: it costs a tenth of a second of the start.
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._errors: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        options: dict[str, Any] = {
            "socket_timeout": PATIENCE,
            "socket_connect_timeout": PATIENCE,
            "retry": Retry(NoBackoff(), 1),  # once: the connection may be of a Redis that was restarted
        }
        self._script = Redis.from_url(url, **options).register_script(SCRIPT)
        self._away_until: float | None = None

    async def hit(self, bucket: Bucket, key: str) -> Outcome | None:
        """Count one request, unless the bucket is spent; None while Redis is away."""
        if self._away_until is not None and current().monotonic() < self._away_until:
            return None
        try:
            told: Any = await self._script(keys=[name_of(bucket, key)], args=arguments(bucket, counts=True))
        except self._errors as error:
            log.warning("redis is away; rate limits are counted by this process alone", error=type(error).__name__)
            self._away_until = current().monotonic() + REST
            return None
        if self._away_until is not None:
            log.info("redis is back; rate limits are shared again")
            self._away_until = None
        return outcome(bucket, told)
