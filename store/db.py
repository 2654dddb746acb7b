"""The one database of the process: binding, migrations at open, and the two kinds of transaction.

``reads`` and ``writes`` are the only doors to a Pony session. Both are for plain functions: a session that
spans an ``await`` is shared by every task of the loop and commits what a failed task wrote, so coroutines are
refused here.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pony.orm
from pony.orm import Database, db_session
from pony.orm.core import local as pony_local

from store import entities, faults, migrate, patience
from store.migrate import SchemaMismatch as SchemaMismatch
from store.patience import Limits
from store.refusal import Refusal

RETRIED = (pony.orm.IntegrityError, pony.orm.TransactionIntegrityError, pony.orm.OptimisticCheckError)


class _Here(threading.local):
    """Whether the calling thread's transaction has executed a statement."""

    begun = False


_here = _Here()


def statement_done() -> None:
    """Note that the transaction has executed a statement: from here on it cannot be begun again unnoticed."""
    _here.begun = True


class _Open:
    """The database in use, if a store is open."""

    database: Database | None = None


def database() -> Database:
    """The open database; RuntimeError when ``store.open`` has not been called."""
    if _Open.database is None:
        raise RuntimeError("the store is not open: call store.open(database_url) first")
    return _Open.database


def entity(name: str) -> Any:
    """The entity class of that name, of the open database."""
    return database().entities[name]


def is_postgres() -> bool:
    """True when the open database is PostgreSQL (else it is SQLite)."""
    return bool(database().provider.dialect == "PostgreSQL")


def bind(url: str, limits: Limits = Limits()) -> None:
    """Open ``url``: bring its tables up to date, bind Pony, compare mapping and tables.

    In: ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
    ``postgresql://user:password@host:port/name``. Errors: ValueError for another URL, RuntimeError when a
    store is open already, SchemaMismatch.
    """
    if _Open.database is not None:
        raise RuntimeError("the store is open already: call store.close() first")
    kind, place = _place(url)
    fresh = Database()
    entities.declare(fresh)
    try:
        if kind == "sqlite":
            from store.sqlite import SqliteProvider

            migrate.up_sqlite(Path(place))
            fresh.bind(SqliteProvider, place, limits=limits)
        else:
            from store.postgres import PostgresProvider, patiently

            patiently(lambda: migrate.up_postgres(place), limits.wait_seconds)
            fresh.bind(PostgresProvider, place, limits=limits)
        fresh.generate_mapping(create_tables=False, check_tables=True)
    except pony.orm.DatabaseError as problem:
        if isinstance(problem, faults.REPORTED) and faults.is_away(problem, kind != "sqlite"):
            raise  # its tables may be all right
        raise SchemaMismatch(
            f"the database at {_without_password(url)} does not match this version: {problem}. "
            "Restore a backup made before the change, or undo it with: yoyo rollback, then start again"
        ) from problem
    if unknown := _unknown_columns(fresh):
        fresh.disconnect()
        raise SchemaMismatch(
            f"the database at {_without_password(url)} has columns that this version does not know: {unknown}. "
            "Start the version that made them, put back a backup from before, or drop them"
        )
    # Pony would go on with the rest of a transaction on a new connection when the first one broke, and commit only
    # that rest. Before the first statement nothing is lost by it.
    reconnects = fresh.provider.should_reconnect
    fresh.provider.should_reconnect = lambda problem: not _here.begun and reconnects(problem)
    _Open.database = fresh


def unbind() -> None:
    """Close the connections that no transaction uses and forget the database."""
    closing, _Open.database = _Open.database, None
    if closing is not None:
        closing.disconnect()


def leave_thread() -> None:
    """Close the calling thread's connection, if it has one of its own: the thread is about to end."""
    if _Open.database is not None and not is_postgres():
        _Open.database.disconnect()


def reads[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` in a session that takes no write lock."""
    return _sessioned(function, attempts=1, immediate=False)


def writes[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` as one transaction that holds the write lock from its first statement (SQLite) on.

    A transaction that lost a race on a unique index is run again from its start, so it sees the winner's row.
    """
    return _sessioned(function, attempts=5, immediate=True)


def _sessioned[**P, R](function: Callable[P, R], *, attempts: int, immediate: bool) -> Callable[P, R]:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__} is a coroutine: a database session never spans an await")

    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        for last in (False,) * (attempts - 1) + (True,):
            try:
                _here.begun = False
                with db_session(immediate=immediate):
                    return function(*args, **kwargs)
            except RETRIED:
                if last:
                    raise
            except faults.REPORTED as problem:
                if not last and faults.is_standoff(problem):
                    continue
                if not faults.is_away(problem, is_postgres()):
                    raise
                raise Away(problem) from problem
        raise AssertionError("unreachable")

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if pony_local.db_session is not None:
            return function(*args, **kwargs)  # part of the caller's transaction
        while True:
            try:
                return attempt(*args, **kwargs)
            except Away as away:
                if not away.passes or not patience.waits():
                    raise

    return run


def _unknown_columns(opened: Database) -> str:
    """The columns that a newer version, or somebody, has added to our tables; empty when there are none."""
    known = {table: set(entry.column_dict) for table, entry in opened.schema.tables.items()}
    if opened.provider.dialect == "SQLite":
        statement = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    else:
        statement = (
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        )
    with db_session:
        found = opened.get_connection().cursor()
        found.execute(statement)
        rows = found.fetchall()
    return ", ".join(sorted(f"{table}.{name}" for table, name in rows if name not in known.get(table, {name})))


class Away(Refusal):
    """The database cannot be used. ``passes`` says that it may be tried again: nothing is stored, and it will help."""

    def __init__(self, problem: Exception) -> None:
        super().__init__("service_unavailable", "The database cannot be used right now.", headers={"Retry-After": "5"})
        self.passes = faults.is_passing(problem)


def _place(url: str) -> tuple[str, str]:
    """Which kind of database a URL names, and where: a file's path, or a URL for psycopg2."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and len(parts.path) > 1:
        path = Path(unquote(parts.path[1:])).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return "sqlite", str(path)
    if parts.scheme in ("postgresql", "postgres") and len(parts.path) > 1:
        return "postgres", "postgresql" + url[len(parts.scheme) :]
    raise ValueError(
        f"not a database URL: {_without_password(url)} (use sqlite:///file.db or postgresql://user@host/name)"
    )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
