"""Rows as a terminal shows them: a table, or a list where a table would break the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

LONG = 20  # letters; a longer word may be folded


def drawn(rows: Iterable[Mapping[str, Any]], width: int) -> Table:
    """In: rows with the same keys, and the columns of the terminal."""
    cells = [{column: _cell(value) for column, value in row.items()} for row in rows]
    return _table(cells) if _least(cells) <= width else _list(cells)


def _table(rows: Sequence[Mapping[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in rows[0]:
        # An id is there to be copied: it stays in one piece however narrow the terminal is.
        table.add_column(column, overflow="fold", no_wrap=_is_id(column))
    for row in rows:
        table.add_row(*row.values())
    return table


def _list(rows: Sequence[Mapping[str, str]]) -> Table:
    """For a terminal in which a table would break its words: a line for each value, a gap between rows."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for number, row in enumerate(rows):
        if number:
            table.add_row()
        for column, value in row.items():
            table.add_row(column, value)
    return table


def _least(rows: Sequence[Mapping[str, str]]) -> int:
    """The columns of the terminal that a table needs to break no word but a long one."""
    needs = []
    for column in rows[0]:
        words = " ".join([column, *(row[column] for row in rows)]).split()
        longest = max(map(len, words))
        needs.append(longest if _is_id(column) else min(longest, LONG))
    return sum(needs) + 2 * (len(needs) - 1)


def _is_id(column: str) -> bool:
    return column == "id" or column.endswith("_id")


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
