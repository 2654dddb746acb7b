"""Fresh databases for tests: a copied SQLite file, or a PostgreSQL database that is emptied."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2  # type: ignore[import-untyped]
from pony.orm import Database

import store
from store import db
from store.patience import Limits
from store.sqlite import SqlitePool
from tests.waiting import HANG

# No test is refused because its machine is busy: what is to be refused soon is given limits of its own.
PATIENT = replace(Limits(), wait_seconds=HANG)
DEDICATED = f"difyspec_test_{os.getpid()}"  # of this process: test runs side by side keep their own
_fresh: set[str] = set()


def wanted_server() -> str | None:
    """The PostgreSQL URL of ``DIFYSPEC_TEST_DATABASE``, or None when the tests run on SQLite."""
    url = os.environ.get("DIFYSPEC_TEST_DATABASE", "")
    return url if url.startswith("postgres") else None


def fresh_sqlite(folder: Path, name: str = "store.db") -> str:
    """The URL of an empty, migrated SQLite file in ``folder``; see `bind_fresh`."""
    file = folder / name
    shutil.copy(_sqlite_template(), file)
    url = f"sqlite:///{file}"
    _fresh.add(url)
    return url


def bind_fresh(bind: Callable[[str, Limits], None]) -> Callable[[str, Limits], None]:
    """``store.db.bind`` for tests: a file of `fresh_sqlite` takes the mapping that the first one was given.

    Its tables are known to fit, and to map and compare them again takes as long as many a test. Default limits are
    `PATIENT` ones.
    """
    mapped: list[Database] = []

    def bound(url: str, limits: Limits = Limits()) -> None:
        if limits == Limits():
            limits = PATIENT
        if url not in _fresh or limits != PATIENT or not mapped or db._Open.database is not None:
            bind(url, limits)
            if url in _fresh and limits == PATIENT and not mapped:
                mapped.append(db.database())
            return
        provider = mapped[0].provider
        # Of its own for each file: threads of an earlier test may still have a connection to theirs.
        provider.pool = SqlitePool(db._place(url)[1], limits.wait_seconds)
        db._Open.database = mapped[0]

    return bound


def create_postgres(server: str) -> str:
    """Make the dedicated database anew on the server; out: its URL."""
    _on_server(server, f"DROP DATABASE IF EXISTS {DEDICATED} WITH (FORCE)", f"CREATE DATABASE {DEDICATED}")
    return urlunsplit(urlsplit(server)._replace(path=f"/{DEDICATED}"))


def drop_postgres(server: str) -> None:
    """Remove the dedicated database."""
    _on_server(server, f"DROP DATABASE IF EXISTS {DEDICATED} WITH (FORCE)")


def empty_postgres(url: str) -> None:
    """Delete every row of every table of ours."""
    _on_server(url, "TRUNCATE accounts, workspaces, audit, sealing_passes CASCADE")


def _on_server(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


@lru_cache(maxsize=1)
def _sqlite_template() -> Path:
    """An empty database, migrated once per test process: copying it is quicker than migrating again."""
    folder = tempfile.mkdtemp(prefix="difyspec-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(folder) / "template.db"
    store.open(f"sqlite:///{file}")
    store.close()
    return file
