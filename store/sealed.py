"""What is stored under the server's key, row by row, for changing the key; and how far such a pass has come.

A row is replaced only as it was read: what somebody else has changed meanwhile is theirs, and is looked at again.
"""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from store import db, sql
from store.clock import now_micros

AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A table with sealed columns, and which of its rows have any."""

    name: str
    key: str
    columns: tuple[str, ...]
    where: str = "1 = 1"


VERSIONS = Table("versions", "id", ("definition", "source"))
TOOLS = Table("tool_providers", "id", ("sealed_credential",), "sealed_credential IS NOT NULL")
CHECKPOINTS = Table("checkpoints", "run_id", ("sealed",))
CONVERSATIONS = Table("conversations", "id", ("variables",), "substr(variables, 1, 10) = '{\"$sealed\"'")
# A form's token is made with the key; only its hash is stored.
FORMS = Table("forms", "id", ("token_hash", "id"), "token_hash IS NOT NULL AND decided_at IS NULL")
# A link that was mailed stays as it is; one that will be is made when it is sent.
MAILS = Table("mails", "token_hash", ("token_hash", "form_id", "address"), "status = 'waiting'")


@db.reads
def count(table: Table) -> int:
    """How many rows a pass looks at."""
    found = sql.row(f"SELECT COUNT(*) FROM {table.name} WHERE {table.where}")
    return int(found[0]) if found else 0


def rows(table: Table, after: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield keys and columns in the order of keys, from behind one on; few are held at a time."""
    while some := _page(table, after):
        yield from some
        after = some[-1][0]


@db.reads
def _page(table: Table, after: str) -> list[tuple[str, list[str]]]:
    columns = ", ".join(table.columns)
    found = sql.rows(
        f"SELECT {table.key}, {columns} FROM {table.name} WHERE {table.key} > ? AND {table.where}"
        f" ORDER BY {table.key} LIMIT {AT_ONCE}",
        after,
    )
    return [(one[0], list(one[1:])) for one in found]


@db.writes
def replace(table: Table, key: str, before: list[str], after: list[str]) -> bool:
    """Change a row, if it still is as it was; out: whether it was."""
    _forget_what_is_overwritten()
    named = ", ".join(f"{name} = ?" for name in table.columns)
    same = " AND ".join(f"{name} = ?" for name in table.columns)
    statement = f"UPDATE {table.name} SET {named} WHERE {table.key} = ? AND {same}"
    return sql.change(statement, *after, key, *before) == 1


@db.reads
def place(name: str) -> str | None:
    """How far a pass has come: the key of its last row, empty before the first; None when it is over."""
    found = sql.row("SELECT place, finished_at FROM sealing_passes WHERE name = ?", name)
    if found is None:
        return ""
    return None if found[1] is not None else str(found[0])


@db.writes
def reach(name: str, place: str, *, finished: bool = False) -> None:
    """Note how far a pass has come."""
    statement = (
        "INSERT INTO sealing_passes (name, place, finished_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET place = excluded.place, finished_at = excluded.finished_at"
    )
    sql.change(statement, name, place, now_micros() if finished else None)


def empty_journal() -> None:
    """Let nothing of what was overwritten stay in SQLite's journal, as far as no reader needs it."""
    if not db.is_postgres():
        _checkpoint()


@db.reads
def _checkpoint() -> None:
    sql.rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _forget_what_is_overwritten() -> None:
    # SQLite leaves what was there in free parts of its pages.
    if not db.is_postgres():
        sql.rows("PRAGMA secure_delete = ON")
