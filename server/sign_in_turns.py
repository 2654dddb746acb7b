"""Who signs in at the pages next. Checking a password is slow on purpose, and takes 64 MiB: strangers who send many
must neither take the threads of all other pages, nor the processors, nor keep anybody elsewhere waiting.

A few are checked at a time. The others wait here, on the event loop, where that costs no thread; `Shares` chooses among
their networks. Who cannot be served soon is told so by the page itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from engine.running.shares import Shares
from store import networks
from store.refusal import REFUSED, Refusal

PATH = "/signin"
AT_ONCE = 2
WAITING, WAITING_OF_NETWORK = 1000, 100
SECONDS = 20.0  # that one waits; what a person has patience for


class SignInTurns:
    """ASGI layer around the pages. In: where a request comes from."""

    def __init__(self, app: ASGIApp, address_of: Callable[[Scope], str], seconds: float = SECONDS) -> None:
        self.app, self.address_of, self.seconds = app, address_of, seconds
        self._free = AT_ONCE
        self._shares: Shares[asyncio.Future[None]] = Shares()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].rstrip("/") != PATH:
            await self.app(scope, receive, send)
            return
        owner = networks.network(self.address_of(scope))
        if not await self._has_turn(owner):
            busy = Refusal("service_unavailable", "Many sign in just now.", headers={"Retry-After": "10"})
            scope.setdefault(REFUSED, busy)
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self._leave(owner)

    async def _has_turn(self, owner: str) -> bool:
        if len(self._shares) >= WAITING or self._shares.waiting(owner) >= WAITING_OF_NETWORK:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shares.add(owner, turn)
        self._call()
        try:
            await asyncio.wait([turn], timeout=self.seconds)
        except asyncio.CancelledError:
            if turn.done():
                self._leave(owner)
            else:
                self._shares.remove(owner, turn)
            raise
        if not turn.done():
            self._shares.remove(owner, turn)
        return turn.done()

    def _leave(self, owner: str) -> None:
        self._free += 1
        self._shares.done(owner)
        self._call()

    def _call(self) -> None:
        while self._free and (chosen := self._shares.next()):
            self._free -= 1
            chosen[1].set_result(None)
