"""Stop "may": does the caller hold the operation's scope, and is it the kind of subject the operation serves?

The contract says both: scopes in ``security`` or ``x-scope``, kinds in ``x-subject-types``. The scope
``full`` satisfies every scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import ASGIApp, Receive, Scope, Send

from server.blueprint import Blueprint, OperationObject
from server.caller import CONTEXT
from store.caller import Caller
from store.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Demand:
    """What an operation asks of its caller; None and empty mean anything."""

    scopes: frozenset[str]
    subjects: frozenset[str]

    def check(self, caller: Caller) -> None:
        """Pass, or raise ``unsupported_token_type`` or ``insufficient_scope``."""
        if self.subjects and caller.subject_type not in self.subjects:
            raise Refusal("unsupported_token_type")
        if "full" not in caller.scopes and not self.scopes <= caller.scopes:
            raise Refusal("insufficient_scope", hint=f"Needs {' '.join(sorted(self.scopes))}.")


def demand_of(operation: OperationObject, blueprint: Blueprint) -> Demand | None:
    """What the contract says about one operation, or None where everybody may."""
    security = blueprint.security(operation)
    scopes = {scope for requirement in security for named in requirement.values() for scope in named}
    scopes |= _words(operation.raw.get("x-scope"))
    subjects = _words(operation.raw.get("x-subject-types"))
    is_guarded = bool(security) and {} not in security
    return Demand(frozenset(scopes), frozenset(subjects)) if is_guarded and (scopes or subjects) else None


def _words(value: Any) -> set[str]:
    return set(value.split()) if isinstance(value, str) else set(value or ())


class May:
    """ASGI layer. In: the demands by operationId."""

    def __init__(self, app: ASGIApp, demands: Mapping[str, Demand]) -> None:
        self.app, self.demands = app, demands

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            demand = self.demands.get(scope["extensions"].get(ROUTING_CONTEXT, {}).get("operation_id"))
            if demand is not None:
                demand.check(scope["extensions"][CONTEXT]["user"])
        await self.app(scope, receive, send)
