"""Stop "streams": how many streams may be open, for each subject and in all, on this server.

An open stream is a connection, a task and memory for as long as its client likes. Its place is taken before anything
is begun (a request to run an app that is refused has run nothing), and given back when the answer is over, however it
ends: by its last event, an error, a client that leaves, or before its first byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import ASGIApp, Receive, Scope, Send

from server.caller import CONTEXT
from store.caller import Caller
from store.refusal import Refusal

WAIT = {"Retry-After": "5"}  # seconds


class Streams:
    """ASGI layer. In: the operations that answer with a stream (``x-stream``), how many streams one subject may have
    open, whatever its tokens, and how many there may be in all; 0 does not bound.
    """

    def __init__(self, app: ASGIApp, operations: Collection[str], per_subject: int = 0, most: int = 0) -> None:
        self.app, self.operations = app, frozenset(operations)
        self.per_subject, self.most = per_subject, most
        # Touched on the event loop only.
        self.open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["extensions"].get(ROUTING_CONTEXT, {}).get("operation_id") if scope["type"] == "http" else None
        if name not in self.operations:
            await self.app(scope, receive, send)
            return
        caller: Caller = scope["extensions"][CONTEXT]["user"]
        subject = caller.subject
        self._check(subject)
        self.open[subject] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open[subject] -= 1
            if not self.open[subject]:
                del self.open[subject]

    def _check(self, subject: str) -> None:
        """Pass, or raise ``too_many_requests`` or ``service_unavailable``."""
        if self.per_subject and self.open[subject] >= self.per_subject:
            told = f"You have {self.per_subject} streams open here, which is as many as one may have."
            raise Refusal("too_many_requests", told, hint="Close one, or wait until one has ended.", headers=WAIT)
        if self.most and self.open.total() >= self.most:
            raise Refusal("service_unavailable", "This server has no room for another stream.", headers=WAIT)
