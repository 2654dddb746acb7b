"""What the readers of runs ask: how far runs have come, and the next events of one."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from store import db, events, sql

AT_ONCE = 500  # runs asked about in one statement
PAGE = 500  # events read at a time, if they are small


class Progress(NamedTuple):
    """The status of a run, and the number of its last event (0 without any)."""

    status: str
    last: int


class Page(NamedTuple):
    """A run's next events with their numbers, and how the run was before they were read; None if there is none."""

    status: str | None
    mode: str
    events: list[tuple[int, str]]


@db.reads
def of(run_ids: Sequence[str]) -> dict[str, Progress]:
    """How far each of these runs is, by id; a statement for each ``AT_ONCE`` of them."""
    found: dict[str, Progress] = {}
    for first in range(0, len(run_ids), AT_ONCE):
        some = run_ids[first : first + AT_ONCE]
        marks = ", ".join("?" for _ in some)
        statement = (
            "SELECT r.id, r.status, (SELECT MAX(e.seq) FROM events e WHERE e.run_id = r.id)"
            f" FROM runs r WHERE r.id IN ({marks})"
        )
        found |= {row[0]: Progress(row[1], int(row[2] or 0)) for row in sql.rows(statement, *some)}
    return found


@db.reads
def page(run_id: str, after: int, most: int) -> Page:
    """The run's events after a number: as many as fit into ``most`` characters, but one at least."""
    # In this order: a run's events are written before its row says that it is over, or that it waits.
    row = sql.row("SELECT status, mode FROM runs WHERE id = ?", run_id)
    status, mode = row or (None, "")
    return Page(status, mode, events.some(run_id, after, PAGE, most))
