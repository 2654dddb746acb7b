"""The ledger the server prints at start: what the contract holds, and that each piece of it is claimed."""

from __future__ import annotations

from dataclasses import dataclass

from server.blueprint import Blueprint
from server.claims import Claims


@dataclass(frozen=True, slots=True)
class Ledger:
    """The counts, and where to read the contract."""

    paths: int
    operations: int
    handlers: int
    streams: int
    unclaimed: int
    docs: str

    def __str__(self) -> str:
        return (
            f"{self.paths} paths, {self.operations} operations, {self.handlers} handlers, "
            f"{self.streams} streams, "
            f"{self.unclaimed} unclaimed; docs at {self.docs}"
        )


def ledger(blueprint: Blueprint, claims: Claims, base_url: str) -> Ledger:
    """The ledger of a built app. In: the address people reach the server at."""
    operations = blueprint.operations
    return Ledger(
        paths=len(blueprint.raw["paths"]),
        operations=len(operations),
        handlers=len({id(handler) for handler in claims.found.values()}),
        streams=sum(operation.is_stream for operation in operations.values()),
        unclaimed=len(operations.keys() - claims.found.keys()),
        docs=f"{base_url}{blueprint.base_path}/docs",
    )
