"""Which function does which operation: ``listApps`` tagged ``apps`` is ``handlers.apps.list_apps``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from connexion.exceptions import ResolverError
from connexion.operations import AbstractOperation
from connexion.resolver import Resolution, Resolver

from server.blueprint import Blueprint, OperationObject, snake

Handler = Callable[..., Any]


class Claims(Resolver):
    """connexion's resolver over our naming rule. In: a package name, or handlers by operationId (for tests).

    An operation that nobody claims stops the start.
    """

    def __init__(self, blueprint: Blueprint, handlers: str | Mapping[str, Handler] = "handlers") -> None:
        super().__init__()
        self.blueprint, self.handlers = blueprint, handlers
        self.found = {operation.id: self._find(operation) for operation in blueprint.operations.values()}

    def _find(self, operation: OperationObject) -> Handler:
        if not isinstance(self.handlers, str):
            if operation.id not in self.handlers:
                raise ResolverError(f"No handler is given for operation {operation.id}")
            return self.handlers[operation.id]
        module = f"{self.handlers}.{operation.tag}"
        try:
            handler: Handler = getattr(importlib.import_module(module), snake(operation.id))
        except (ModuleNotFoundError, AttributeError) as error:
            raise ResolverError(
                f"Operation {operation.id} is unclaimed: write {module}.{snake(operation.id)} ({error})"
            ) from error
        return handler

    def resolve(self, operation: AbstractOperation) -> Resolution:
        """Called by connexion for every operation of the contract."""
        return Resolution(self.found[operation.operation_id], operation.operation_id)
