"""The ASGI layer of the stops "limit" and "share": asks the counters, refuses ``too_many_requests``, tells
``RateLimit-*``.

It stands twice on the journey: before "who" for what is counted by address (a flood costs no look-up), and after it
for what is counted by token and by account: only then is a token known to be more than what a stranger made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.address import Networks, of_scope
from server.caller import caller_of
from server.limits import Counters, Rule
from store import networks
from store.refusal import Refusal
from store.windows import Outcome

REMAINING = b"ratelimit-remaining"


class Limit:
    """In: the rules by operationId, the counters, and the proxies whose word on addresses is believed."""

    def __init__(
        self, app: ASGIApp, rules: Mapping[str, Sequence[Rule]], counters: Counters, trusted: Networks = ()
    ) -> None:
        self.app, self.counters, self.trusted = app, counters, trusted
        self.rules = {name: list(items) for name, items in rules.items() if items}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        rules = self.rules.get(scope["extensions"].get(ROUTING_CONTEXT, {}).get("operation_id"))
        tightest: Outcome | None = None
        for rule in rules or ():
            key = self._key(rule, scope)
            if key is None:
                continue
            outcome = await self.counters.hit(rule, key)
            if not outcome.allowed:
                told = f"Too many requests; try again in {max(1, outcome.reset)} seconds."
                raise Refusal("too_many_requests", told, headers=outcome.headers())
            if tightest is None or outcome.remaining < tightest.remaining:
                tightest = outcome
        if tightest is None:
            await self.app(scope, receive, send)
            return
        lines = [(name.lower().encode(), value.encode()) for name, value in tightest.headers().items()]
        names, left = {name for name, _ in lines}, tightest.remaining

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                inner = next((int(value) for name, value in given if name == REMAINING), None)
                if inner is None or inner > left:  # the tightest limit is told, once
                    message["headers"] = [*(line for line in given if line[0] not in names), *lines]
            await send(message)

        try:
            await self.app(scope, receive, tell)
        except Refusal as refusal:
            inner = refusal.headers.get("RateLimit-Remaining")
            if inner is None or int(inner) > left:
                refusal.headers = {**refusal.headers, **tightest.headers()}
            raise

    def _key(self, rule: Rule, scope: Scope) -> str | None:
        """Whose counter; None where there is nothing to count (nobody signed in)."""
        if rule.key == "address":
            return networks.bucket(of_scope(scope, self.trusted))
        if rule.key == "network":
            return networks.network(of_scope(scope, self.trusted))
        caller = caller_of(scope)
        if caller is None:
            return None
        return caller.session_id or caller.cookie_hash if rule.key == "token" else caller.subject
