"""State machines: which moves exist, and the one compare-and-set that makes them.

A move is a single UPDATE whose WHERE names the states it may start from, so of two racing moves exactly one
touches the row, on either database and in any number of processes. The loser learns it from the answer.
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store import sql


@dataclass(frozen=True, slots=True)
class Machine:
    """A table whose ``status`` column follows ``moves`` (state → states it may become)."""

    table: str
    key: str
    moves: dict[str, frozenset[str]]

    def move(self, key: str, to: str, only: Mapping[str, object] | None = None, **columns: object) -> bool:
        """Move the row to ``to`` and set ``columns`` with it; True if this call made the move.

        ``only``: if these columns have these values.
        """
        sources = sorted(state for state, targets in self.moves.items() if to in targets)
        if not sources:
            raise ValueError(f"{self.table}: no state moves to {to!r}")
        sets = "".join(f", {name} = ?" for name in columns)
        marks = ", ".join("?" for _ in sources)
        more = "".join(f" AND {name} = ?" for name in only or ())
        statement = f"UPDATE {self.table} SET status = ?{sets} WHERE {self.key} = ? AND status IN ({marks}){more}"
        return sql.change(statement, to, *columns.values(), key, *sources, *(only or {}).values()) == 1

    def is_final(self, state: str) -> bool:
        """True when nothing leaves ``state``."""
        return not self.moves.get(state)
