"""The windows of `store.windows` in Redis, for servers that share their counts.

One script counts and tells in one round trip, and sets the end of a window together with its first hit: no key is
without an end. Keys are ``difyspec:<bucket>:<whose>``; secrets come hashed.
"""

from __future__ import annotations

import math
from typing import Any

from store.clock import current
from store.refusal import Refusal
from store.windows import Bucket, Outcome

PREFIX = "difyspec"
PATIENCE = 1.0  # seconds for one command: a Redis that hangs must not hang the server
REST = 5  # seconds without asking, after a failure: its threads are also those of other requests

# In: the key; the limit, the window in ms, and 1 to count or 0 to look. Out: allowed, hits, ms until the window ends.
SCRIPT = """
local hits = tonumber(redis.call('GET', KEYS[1]) or '0')
local allowed = hits < tonumber(ARGV[1])
if allowed and ARGV[3] == '1' then
  hits = redis.call('INCR', KEYS[1])
  if hits == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
end
return {allowed and 1 or 0, hits, redis.call('PTTL', KEYS[1])}
"""


def name_of(bucket: Bucket, key: str) -> str:
    """The name of a count in Redis."""
    return f"{PREFIX}:{bucket.name}:{key}"


def arguments(bucket: Bucket, counts: bool) -> list[int]:
    """What the script is told."""
    return [bucket.limit, bucket.seconds * 1000, int(counts)]


def outcome(bucket: Bucket, told: list[int]) -> Outcome:
    """What the script's answer says."""
    allowed, hits, left = told
    seconds = math.ceil(left / 1000) if left > 0 else bucket.seconds  # below 0: no hit was counted yet
    return Outcome(bool(allowed), bucket.limit, max(0, bucket.limit - hits), seconds)


class SharedWindows:
    """In: the URL of the Redis. Each method raises ``service_unavailable`` while it cannot be reached."""

    def __init__(self, url: str) -> None:
        # Imported only where Redis is used.
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
        from redis.retry import Retry

        self._errors: tuple[type[Exception], ...] = (RedisError, OSError)
        client = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 1)
        )
        self._script = client.register_script(SCRIPT)
        self._away_until = 0.0

    def hit(self, bucket: Bucket, key: str) -> Outcome:
        """Count one hit, unless the bucket is spent."""
        return self._ask(bucket, key, counts=True)

    def look(self, bucket: Bucket, key: str) -> Outcome:
        """What a hit would meet now."""
        return self._ask(bucket, key, counts=False)

    def _ask(self, bucket: Bucket, key: str, counts: bool) -> Outcome:
        left = self._away_until - current().monotonic()
        if left > 0:
            raise _away(left)
        try:
            told: Any = self._script(keys=[name_of(bucket, key)], args=arguments(bucket, counts))
        except self._errors as error:
            self._away_until = current().monotonic() + REST
            raise _away(REST) from error
        return outcome(bucket, told)


def _away(seconds: float) -> Refusal:
    told = "Guesses cannot be counted right now; try again."
    return Refusal("service_unavailable", told, headers={"Retry-After": str(math.ceil(seconds))})
