"""Statements written by hand, for the hot reads and for compare-and-set, run inside the current session.

Pony's own raw queries evaluate ``$name`` in the caller's frame and build a row class per call; a page that
every client asks for cannot afford that. These three functions hand a statement with ``?`` marks to the same
connection.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from store import db

Row = Any  # a tuple; what is in it depends on the statement


def rows(statement: str, *values: object) -> list[Row]:
    """All rows of a SELECT. It does not begin a transaction by itself."""
    cursor = db.database()._exec_sql(_marked(statement, db.is_postgres()), values or None)
    db.statement_done()
    return list(cursor.fetchall())


def row(statement: str, *values: object) -> Row | None:
    """The first row of a SELECT, or None."""
    cursor = db.database()._exec_sql(_marked(statement, db.is_postgres()), values or None)
    db.statement_done()
    found: Row | None = cursor.fetchone()
    return found


def locked(statement: str, *values: object) -> Row | None:
    """The first row of a SELECT, held until the transaction ends (SQLite: the write lock already holds all
    rows)."""
    return row(statement + " FOR UPDATE" if db.is_postgres() else statement, *values)


def change(statement: str, *values: object) -> int:
    """Run an INSERT, UPDATE or DELETE; out: how many rows it touched."""
    marked = _marked(statement, db.is_postgres())
    cursor = db.database()._exec_sql(marked, values or None, start_transaction=True)
    db.statement_done()
    return int(cursor.rowcount)


def serialise(key: str) -> None:
    """Let only one transaction with this ``key`` go on at a time (SQLite writers already queue)."""
    if db.is_postgres():
        row(
            "SELECT pg_advisory_xact_lock(?)",
            int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], signed=True),
        )


def converted(found: Row, by: dict[int, Callable[[Any], object]]) -> list[Any]:
    """The values of a row, those at the given places converted (NULL stays None)."""
    values = list(found)
    for place, convert in by.items():
        if values[place] is not None:
            values[place] = convert(values[place])
    return values


def sha256(secret: str) -> str:
    """The lower-case hexadecimal SHA-256 of a token, code or cookie: the only form of it that is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def to_json(value: object) -> str:
    """JSON as stored: compact and pure ASCII, so that no NUL or lone surrogate reaches the database."""
    return json.dumps(value, separators=(",", ":"))


def text(value: str) -> str:
    """Free text as stored: without NUL and lone surrogates, which PostgreSQL refuses."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def uuid_or_none(value: str | None) -> str | None:
    """The canonical spelling (lower case, dashed) of a UUID, or None for anything else."""
    if value is None or len(value) > 45:
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return None


@lru_cache(maxsize=512)
def _marked(statement: str, postgres: bool) -> str:
    return statement.replace("?", "%s") if postgres else statement
