"""The last three stops for one operation: shape in, do, shape out. Compiled at start-up; a request walks the
plan.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Scope, Send

import store.audit
from engine.files import service as files
from engine.files.asking import KNOWN, NotKnown
from server.blueprint import Blueprint, OperationObject, snake
from server.bodies import Body
from server.caller import caller_of
from server.claims import Handler
from server.json_body import JsonBounds
from server.multipart import Multipart
from server.parameters import Parameters
from server.request_id import KEY
from server.shape_out import ShapeOut
from server.threads import Threads

Arguments = dict[str, Any]


class ShapeIn:
    """Parameters and body as arguments of the handler; refuses what breaks the contract."""

    def __init__(
        self,
        operation: OperationObject,
        blueprint: Blueprint,
        upload: Multipart | None = None,
        bounds: JsonBounds | None = None,
    ) -> None:
        self.parameters = Parameters(operation.parameters, blueprint.schemas, snake)
        raw_body = blueprint.schemas.deref(operation.raw.get("requestBody"))
        self.upload = upload
        self.body = Body(raw_body, blueprint.schemas, bounds or JsonBounds()) if raw_body and upload is None else None

    async def __call__(self, scope: Scope, receive: Receive) -> Arguments:
        parameters = self.parameters
        arguments = {} if parameters.none and not scope["query_string"] else parameters.read(scope)
        if self.body is not None:
            arguments["body"] = await self.body.read(scope, receive)
        elif self.upload is not None:
            arguments[self.upload.part] = await self.upload.read(scope, receive)
        return arguments


class Do:
    """The handler: awaited when it is a coroutine function, else in a thread; given the arguments it asks
    for.

    A success of an operation with ``x-audit`` is written to the audit trail before it is told.
    """

    def __init__(self, handler: Handler, offered: frozenset[str], threads: Threads, audit: str | None = None) -> None:
        self.handler, self.threads, self.audit = handler, threads, audit
        self.is_async = inspect.iscoroutinefunction(handler)
        asked = inspect.signature(handler).parameters
        self.takes_all = any(item.kind is item.VAR_KEYWORD for item in asked.values())
        self.asked = frozenset(asked)
        self.wants_user = "user" in asked or self.takes_all
        needed = {name for name, item in asked.items() if item.default is item.empty and item.kind not in (2, 4)}
        missing = needed - offered - {"user", "token_info"}
        if missing:
            name = getattr(handler, "__qualname__", repr(handler))
            raise TypeError(f"{name} asks for {', '.join(sorted(missing))}, which the contract does not offer")
        self.fits = self.takes_all or offered <= self.asked

    async def __call__(self, scope: Scope, arguments: Arguments) -> Any:
        if not self.fits:
            arguments = {name: value for name, value in arguments.items() if name in self.asked}
        if self.wants_user:
            arguments["user"] = caller_of(scope)
        if not self.is_async:
            return await self._threaded(scope, arguments)
        result = await self.handler(**arguments)
        if self.audit is not None:
            await self.threads.run(scope, self._record, scope=scope)
        return result

    async def _threaded(self, scope: Scope, arguments: Arguments) -> Any:
        """The handler in a thread; not while it waits for strangers: then it is begun again when they have answered."""
        KNOWN.set({})
        try:
            return await self.threads.run(scope, self._in_thread, scope=scope, arguments=arguments)
        except NotKnown as asked:
            KNOWN.set(await files.current().asking.answers(asked))
            return await self.threads.run(scope, self._in_thread, scope=scope, arguments=arguments)

    def _in_thread(self, scope: Scope, arguments: Arguments) -> Any:
        """Handler and audit in one visit to a thread: each visit costs about as much as a small query."""
        result = self.handler(**arguments)
        if self.audit is not None:
            self._record(scope)
        return result

    def _record(self, scope: Scope) -> None:
        caller = caller_of(scope)
        store.audit.record(
            str(self.audit),
            actor=caller.subject if caller else None,
            request_id=scope.get(KEY),
            **scope.get("path_params", {}),
        )


class Operation:
    """An ASGI app for one operation, made of its three stops."""

    __slots__ = ("do", "shape_in", "shape_out")

    def __init__(
        self,
        shape_in: Callable[[Scope, Receive], Awaitable[Arguments]],
        do: Callable[[Scope, Arguments], Awaitable[Any]],
        shape_out: ShapeOut,
    ) -> None:
        self.shape_in, self.do, self.shape_out = shape_in, do, shape_out

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arguments = await self.shape_in(scope, receive)
        result = await self.do(scope, arguments)
        await self.shape_out(result, scope, receive, send)
