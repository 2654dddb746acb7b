"""What is wrong when a transaction fails, as the database itself tells it."""

from __future__ import annotations

import sqlite3

import pony.orm

# The names under which a database reports its own faults: Pony wraps them, but not while it connects.
REPORTED = (pony.orm.OperationalError, pony.orm.CommitException, sqlite3.OperationalError)
STANDOFFS = ("40001", "40P01")  # serialization_failure, deadlock_detected
OVERTIME = "57014"  # query_canceled: the statement took too long, and would again
# How a server says that it will not take a connection, now or later; it sends no code with it.
LASTING = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")
PRIMARY = 0xFF  # of SQLite's error codes; the rest says more
SQLITE_AWAY = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED}
)


def is_standoff(problem: Exception) -> bool:
    """Whether PostgreSQL undid the transaction because it and another waited for each other."""
    return getattr(_original(problem), "pgcode", None) in STANDOFFS


def is_away(problem: Exception, is_postgres: bool) -> bool:
    """Whether the database is at fault: nobody answers, another holds its lock, its disk is full or broken."""
    origin = _original(problem)
    if is_postgres:
        return origin is not None
    # SQLite reports mistakes in a statement under this name too.
    code: int = getattr(origin, "sqlite_errorcode", 0)
    return code & PRIMARY in SQLITE_AWAY


def is_passing(problem: Exception) -> bool:
    """Whether what `is_away` told is known to have left nothing in the database, and may go well another time."""
    if isinstance(problem, pony.orm.CommitException):
        return False
    return getattr(_original(problem), "pgcode", None) != OVERTIME


def is_passing_refusal(problem: Exception) -> bool:
    """Whether PostgreSQL may take a connection in a moment: it has none left (53300), is starting (57P03), or nobody
    listens yet.
    """
    return not any(word in str(problem) for word in LASTING)


def _original(problem: Exception) -> Exception | None:
    """The driver's own error behind one that is ``REPORTED``; None when a commit failed for another reason."""
    cause: Exception = problem.exceptions[0][1] if isinstance(problem, pony.orm.CommitException) else problem
    if isinstance(cause, pony.orm.OperationalError):
        wrapped: Exception = cause.original_exc
        return wrapped
    return cause if isinstance(cause, sqlite3.OperationalError) else None
