"""The stops "limit" and "share": how often an operation may be called, as the contract's ``x-rate-limit`` says.

Each bucket is counted on its own (`store.windows`): in memory, or in Redis where several processes share them. Every
answer of a limited operation tells ``RateLimit-*``; a refusal also ``Retry-After``.

What is counted is never the name that a stranger gave himself: a token is counted by its session, once it is known
to live, and one that does not live is counted by the address it came from.

While Redis is away, each process counts by itself. What keeps guessers out is counted elsewhere (``counts: wrong``,
`store.code_guesses`) and refused meanwhile, as nobody knows how many guesses the other processes have seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.shared_limits import SharedCounters
from store.windows import Bucket, Outcome, Windows

# Narrow first: a request that one bucket refuses charges nothing wider.
KINDS = ("token", "account", "address", "network", "everyone")
PER_TOKEN, PER_ACCOUNT, DEAD_TOKENS = "api", "api-account", "dead-token"  # the buckets whose sizes are settings


@dataclass(frozen=True, slots=True)
class Rule:
    """A bucket, counted for each token, account, address or network (``key``).

    ``counts_wrong``: counted by the handler, where a guess was wrong.
    """

    bucket: Bucket
    key: str
    counts_wrong: bool = False


class Counters:
    """The counters behind the rules. In: a Redis URL, or None to count in this process."""

    def __init__(self, redis_url: str | None = None) -> None:
        self._own = Windows()
        self._shared = SharedCounters(redis_url) if redis_url else None

    async def hit(self, rule: Rule, key: str) -> Outcome:
        """Count one request, unless the bucket is spent."""
        counted = await self._shared.hit(rule.bucket, key) if self._shared else None
        return self._own.hit(rule.bucket, key) if counted is None else counted


def rules_of(raw: dict[str, Any], is_bearer: bool, sizes: Mapping[str, int]) -> list[Rule]:
    """The rules of one operation, narrow first.

    In: its raw object with ``x-rate-limit`` (a list of ``{bucket, key, limit, window, counts?}``, the window
    in seconds), whether it takes a bearer, and the limits that settings give to buckets in place of the contract's
    numbers (0: no such limit). What takes a bearer is always counted by token and by account.
    """
    rules = [_rule(item, sizes) for item in raw.get("x-rate-limit", [])]
    if is_bearer:
        stated = {rule.bucket.name for rule in rules}
        own = ((PER_TOKEN, "token"), (PER_ACCOUNT, "account"))
        rules += [Rule(Bucket(name, sizes.get(name, 0), 60), key) for name, key in own if name not in stated]
    return sorted((rule for rule in rules if rule.bucket.limit > 0), key=lambda rule: KINDS.index(rule.key))


def _rule(item: dict[str, Any], sizes: Mapping[str, int]) -> Rule:
    key, name = item["key"], item["bucket"]
    if key not in KINDS:
        raise ValueError(f"x-rate-limit: key is one of {', '.join(KINDS)}, not {key!r}")
    bucket = Bucket(name, sizes.get(name, int(item["limit"])), int(item["window"]))
    return Rule(bucket, key, item.get("counts") == "wrong")
