"""Stop "who": a bearer token or a page's cookie becomes a ``Caller``. These are connexion's security
handlers.

A token (RFC 6750 §2.1) comes in the ``Authorization`` header only. A cookie comes by itself, from any page in
the same browser, so it counts only with proof that one of our own pages sent the request: the session's CSRF
token in ``X-CSRF-Token``, or our exact ``Origin``.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from connexion.lifecycle import ConnexionRequest
from connexion.security import NO_VALUE, AbstractSecurityHandler
from starlette.types import Scope

import store.cookies
import store.sessions
from server.limits import Counters, Rule
from server.parameters import cookies_of
from server.threads import Threads
from store import networks
from store.refusal import Refusal
from store.windows import Outcome
from web.hosts import Hosts

COOKIE = store.cookies.NAME
MAX_CREDENTIAL = 4096
Verify = Callable[[ConnexionRequest], Awaitable[Any]]


def token_of(scope: Scope) -> str | None:
    """The bearer token of a request; None without one. Raises nothing; two ``Authorization`` lines are no
    token.
    """
    lines = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(lines) != 1 or len(lines[0]) > MAX_CREDENTIAL:
        return None
    kind, _, token = lines[0].decode("latin-1").partition(" ")
    # Blanks around a field's value are no part of it (RFC 9110 §5.5); RFC 6750 §2.1 allows several before the token.
    return token.strip(" \t") or None if kind.lower() == "bearer" else None


def _says_authorization(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


@dataclass(frozen=True, slots=True)
class DeadTokens:
    """How many dead tokens an address may try: each costs a look-up, and is counted by nothing of its own, as whoever
    makes tokens up never sends one twice. A live token from the same address is never refused for them.
    """

    counters: Counters
    rule: Rule
    address_of: Callable[[Scope], str]

    async def count(self, scope: Scope) -> Outcome:
        """Count one; raises ``too_many_requests`` when it was one too many."""
        outcome = await self.counters.hit(self.rule, networks.bucket(self.address_of(scope)))
        if not outcome.allowed:
            told = f"Too many dead tokens; try again in {max(1, outcome.reset)} seconds."
            raise Refusal("too_many_requests", told, hint="Sign in again.", headers=outcome.headers())
        return outcome


class Guards:
    """Builds the handlers of both schemes. In: the origins that are the server's own, the threads for database
    look-ups, the names of the server, and how dead tokens are counted (None: they are not).
    """

    def __init__(self, origins: Iterable[str], threads: Threads, hosts: Hosts, dead: DeadTokens | None = None) -> None:
        self.origins, self.threads, self.hosts, self.dead = frozenset(origins), threads, hosts, dead

    def security_map(self) -> dict[str, type[AbstractSecurityHandler]]:
        """What connexion's ``security_map`` takes: handler classes by scheme."""
        return {"bearer": _handler(lambda _: self.bearer), "apiKey": _handler(self._cookie)}

    def _cookie(self, scheme: Any) -> Verify:
        return partial(self.cookie, name=scheme["name"])

    async def bearer(self, request: ConnexionRequest) -> Any:
        """``{"sub": Caller}`` for a live token. Raises ``unauthorized`` without one, ``invalid_token`` for a
        dead one, ``too_many_requests`` for many dead ones.
        """
        token = token_of(request.scope)
        if token is None:
            raise Refusal("unauthorized", hint="Send the header Authorization: Bearer TOKEN.")
        known, caller = store.sessions.remembered(token)
        if not known:
            caller = await self.threads.run(request.scope, store.sessions.resolve, token=token)
        if caller is None:
            outcome = await self.dead.count(request.scope) if self.dead else None
            raise Refusal("invalid_token", hint="Sign in again.", headers=outcome.headers() if outcome else None)
        return {"sub": caller, "scope": " ".join(sorted(caller.scopes))}

    async def cookie(self, request: ConnexionRequest, name: str) -> Any:
        """``{"sub": Caller}`` for a page that is signed in, by the cookie of that name. Raises ``unauthorized``,
        ``csrf_failed``.

        Where a bearer was stated it is what counts: a dead one is not saved by a cookie beside it.
        """
        if _says_authorization(request.scope):
            return NO_VALUE
        cookie = cookies_of(request.scope).get(name)
        if not cookie or len(cookie) > MAX_CREDENTIAL:
            raise Refusal("unauthorized", "Sign in first.")
        found = await self.threads.run(request.scope, store.cookies.resolve, cookie=cookie)
        if found is None:
            raise Refusal("unauthorized", "The page session has ended. Sign in again.")
        account, csrf_token = found
        self._same_site(request.scope, csrf_token)
        return {"sub": store.cookies.caller(account, cookie), "scope": "full"}

    def _same_site(self, scope: Scope, csrf_token: str) -> None:
        sent = {name: value for name, value in scope["headers"] if name in (b"origin", b"x-csrf-token", b"host")}
        token = sent.get(b"x-csrf-token")
        if token is not None:
            if not hmac.compare_digest(token, csrf_token.encode()):
                raise Refusal("csrf_failed")
            return
        origin = sent.get(b"origin", b"").decode("latin-1")
        if origin and origin in self.origins:
            return
        host = sent.get(b"host", b"").decode("latin-1")  # a name that is not ours may be another site's, pointed at us
        if origin != f"{scope['scheme']}://{host}" or not self.hosts.know(host, (scope.get("server") or ("",))[0]):
            raise Refusal("csrf_failed")


def _handler(verify_of: Callable[[Any], Verify]) -> type[AbstractSecurityHandler]:
    class Handler(AbstractSecurityHandler):
        def get_fn(self, security_scheme: Any, required_scopes: Any) -> Verify:
            return verify_of(security_scheme)

    return Handler
