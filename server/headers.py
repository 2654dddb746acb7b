"""Stop "headers": what every answer carries, errors included — safety headers, ``X-Version``, CORS.

CORS (Fetch standard §3.2) is off until origins are named. A preflight is answered here, before any other
stop, and names every method the server knows.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED = b"Authorization, Content-Type, X-CSRF-Token, X-Request-Id, Last-Event-ID, If-None-Match, Idempotency-Key"
EXPOSED = (
    b"ETag, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, "
    b"X-Request-Id, X-Version"
)
# An answer of the API is data: whatever a browser takes it for, it may load, run and frame nothing.
API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
SAFE = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
}
NO_STORE = (b"cache-control", b"no-store")
VARY = (b"vary", b"Origin")


class Headers:
    """ASGI layer. In: the API level for ``X-Version``, and the origins of browser apps (``*`` for all)."""

    def __init__(self, app: ASGIApp, version: str, origins: Iterable[str] = ()) -> None:
        self.app = app
        self.origins = frozenset(origin.encode() for origin in origins)
        self.always = [*SAFE.items(), API_POLICY, (b"x-version", version.encode())]
        self.names = frozenset(name for name, _ in self.always)
        if self.origins:
            self.always.append(VARY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        extra = self._cors(scope) if self.origins else ()
        always, names = self.always, self.names

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                for name, _ in given:
                    if name in names:  # a page sets its own policy, which wins
                        own = {key for key, _ in given}
                        message["headers"] = [
                            *given,
                            *(pair for pair in always if pair[0] not in own),
                            *extra,
                        ]
                        break
                else:
                    message["headers"] = [*given, *always, *extra]
            await send(message)

        if extra and scope["method"] == "OPTIONS" and _asks_method(scope):
            await safe({"type": "http.response.start", "status": 204, "headers": _preflight()})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, safe)

    def _cors(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None:
            return ()
        if origin in self.origins:
            # Cookies may travel only to origins that were named one by one.
            who: tuple[tuple[bytes, bytes], ...] = (
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-credentials", b"true"),
            )
        elif b"*" in self.origins:
            who = ((b"access-control-allow-origin", b"*"),)
        else:
            return ()
        return (*who, (b"access-control-expose-headers", EXPOSED))


def _asks_method(scope: Scope) -> bool:
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])


def _preflight() -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", ALLOWED),
        (b"access-control-max-age", b"600"),
        (b"allow", METHODS),
    ]
