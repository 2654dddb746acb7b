"""The app. ``create_app`` compiles every operation; ``create_stock_app`` is connexion's own AsyncApp over the
same contract and the same handlers, for comparison: where the two differ, one is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import connexion
from connexion.middleware import ConnexionMiddleware
from connexion.middleware.abstract import ROUTING_CONTEXT, SpecMiddleware
from connexion.middleware.context import ContextMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.request_validation import RequestValidationMiddleware
from connexion.middleware.response_validation import ResponseValidationMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.spec import Specification
from starlette.types import Receive, Scope, Send

from handlers import config
from server import logs
from server.address import of_scope
from server.blueprint import DEFAULT
from server.claims import Handler
from server.journey import JOURNEY, layers, steps
from server.ledger import Ledger, ledger
from server.lifespan import lifespan_of
from server.operation import Operation
from server.parts import Parts, server_version
from server.settings import Settings, load


class Operations(SpecMiddleware):
    """The end of the journey: the compiled operations by operationId."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.compiled: dict[str, Operation] = {}

    def add_api(self, specification: Specification, **kwargs: Any) -> None:
        """Called by connexion at start-up; an operation that does not fit its handler stops it."""
        for name, operation in self.parts.blueprint.operations.items():
            self.compiled[name] = Operation(*steps(self.parts, operation))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.compiled[scope["extensions"][ROUTING_CONTEXT]["operation_id"]](scope, receive, send)


class App:
    """An ASGI app with its parts and its ledger at hand."""

    def __init__(self, frame: Any, parts: Parts) -> None:
        self.frame, self.parts = frame, parts

    @property
    def ledger(self) -> Ledger:
        """What the contract holds and who claims it."""
        return ledger(self.parts.blueprint, self.parts.claims, self.parts.settings.base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # under another server than ours; nothing here speaks it
            await send({"type": "websocket.close"})
            return
        await self.frame(scope, receive, send)


def create_app(
    settings: Settings | None = None,
    *,
    contract: Path | str | dict[str, Any] = DEFAULT,
    handlers: str | Mapping[str, Handler] = "handlers",
    with_pages: bool = True,
) -> App:
    """The server's app. In: the settings (the environment's when left out); the rest is for tests.

    Raises ``connexion.exceptions.ResolverError`` for an operation that nobody claims, ``TypeError`` for a
    handler that asks for what the contract does not offer. The store is opened by the lifespan, or by
    ``lifespan.resources``.
    """
    parts = _parts(settings, contract, handlers, with_pages)
    frame = ConnexionMiddleware(
        Operations(parts),
        lifespan=lifespan_of(parts.settings, parts.threads),
        middlewares=[*layers(parts), LifespanMiddleware, ContextMiddleware],
    )
    _add_api(frame, parts)
    # The stack is built now, not at the first request: a defect stops the start.
    frame.app, frame.middleware_stack = frame._build_middleware_stack()
    return App(frame.app, parts)


def create_stock_app(
    settings: Settings | None = None,
    *,
    contract: Path | str | dict[str, Any] = DEFAULT,
    handlers: str | Mapping[str, Handler] = "handlers",
    with_pages: bool = True,
) -> App:
    """connexion's stock ``AsyncApp`` behind the same layers: its routing, its validators, its parameter
    passing.
    """
    parts = _parts(settings, contract, handlers, with_pages)
    middlewares: list[Any] = []
    for stop in JOURNEY:
        if not stop.is_step:
            middlewares.append(RoutingMiddleware if stop.name == "route" else stop.make(parts))  # type: ignore[call-arg]
    middlewares += [
        RequestValidationMiddleware,
        ResponseValidationMiddleware,
        LifespanMiddleware,
        ContextMiddleware,
    ]
    frame = connexion.AsyncApp("server", lifespan=lifespan_of(parts.settings, parts.threads), middlewares=middlewares)
    _add_api(frame, parts, strict_validation=True, validate_responses=True)
    return App(frame, parts)


def _parts(
    settings: Settings | None,
    contract: Path | str | dict[str, Any],
    handlers: str | Mapping[str, Handler],
    with_pages: bool,
) -> Parts:
    settings = settings or load()
    logs.configure(settings.log_level, settings.log_format)
    parts = Parts(settings, contract, handlers, with_pages)
    config.configure(
        config.Config(
            public_url=settings.base_url,
            token_ttl=timedelta(days=settings.token_ttl_days),
            known_client_ids=frozenset(settings.known_client_ids),
            system_parameters=settings.file_limits.system_parameters(),
            server_version=server_version(),
            address_of=partial(of_scope, trusted=settings.trusted_proxies),
            code_guesses=parts.code_guesses,
            most_open_codes=settings.max_open_device_codes,
        )
    )
    return parts


def _add_api(frame: Any, parts: Parts, **options: Any) -> None:
    frame.add_api(parts.blueprint.raw, resolver=parts.claims, security_map=parts.guards.security_map(), **options)
