"""Migrations: numbered SQL files, applied in order by yoyo, one set for both databases.

Several processes may start at once; one migrates, the others wait and find nothing left. The lock is one the
system takes back when its holder dies (yoyo's own is a row, which a killed process leaves behind).
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from yoyo import read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.connections import parse_uri
from yoyo.migrations import default_migration_table

FOLDER = Path(__file__).parent / "migrations"
ADVISORY_KEY = 0x64696679  # any number, the same in every process

# yoyo notes the time of a migration, and Python will drop its own way of writing times to SQLite (deprecated in 3.12).
# This is that way. No table of ours holds a datetime.
sqlite3.register_adapter(datetime, lambda moment: moment.isoformat(" "))


def up_sqlite(file: Path) -> list[str]:
    """Apply what is missing in a SQLite file, made if need be; out: the names applied."""
    with file.with_name(file.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        from yoyo.backends.core.sqlite3 import SQLiteBackend

        return _apply(SQLiteBackend, f"sqlite:///{quote(str(file))}")


def up_postgres(url: str) -> list[str]:
    """Apply what is missing in a PostgreSQL database; out: the names applied."""
    with _advisory_lock(url):
        from yoyo.backends.core.postgresql import PostgresqlBackend

        return _apply(PostgresqlBackend, url)


def _apply(kind: type[DatabaseBackend], url: str) -> list[str]:
    # yoyo's get_backend finds the same classes by reading the metadata of every installed package, at each start.
    backend = kind(parse_uri(url), default_migration_table)
    backend.init_database()
    try:
        missing = backend.to_apply(read_migrations(str(FOLDER)))
        backend.apply_migrations(missing)
        return [migration.id for migration in missing]
    finally:
        backend.connection.close()


@contextmanager
def _advisory_lock(url: str) -> Iterator[None]:
    import psycopg2  # type: ignore[import-untyped]

    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_KEY,))
        yield
    finally:
        connection.close()  # which also gives the lock back
