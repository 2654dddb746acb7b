"""Migrations: numbered SQL files, applied in order by yoyo, one set for both databases.

Several processes may start at once; one migrates, the others wait and find nothing left. The lock is one the
system takes back when its holder dies (yoyo's own is a row, which a killed process leaves behind).

An SQLite file is copied before it is changed. Beside it stands a mark that there is one: who finds the mark without the
file is not given an empty database.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from yoyo import read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.connections import parse_uri
from yoyo.migrations import default_migration_table

FOLDER = Path(__file__).parent / "migrations"
MARK = """A database was made here: the file beside this one, without ".made" at its end.
If it is gone, the server does not start with an empty one. To begin anew, delete this file.
"""
ADVISORY_KEY = 0x64696679  # any number, the same in every process

# yoyo notes the time of a migration, and Python will drop its own way of writing times to SQLite (deprecated in 3.12).
# This is that way. No table of ours holds a datetime.
sqlite3.register_adapter(datetime, lambda moment: moment.isoformat(" "))


logger = logging.getLogger(__name__)


class SchemaMismatch(RuntimeError):
    """The database is not one that this version can use; the message says why, and what to do."""


def up_sqlite(file: Path) -> list[str]:
    """Apply what is missing in a SQLite file, made if need be; out: the names applied. Errors: SchemaMismatch."""
    with file.with_name(file.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = file.with_name(file.name + ".made")
        if mark.exists() and not (file.exists() and file.stat().st_size):
            raise SchemaMismatch(
                f"the database {file} is gone, but there was one: put it, or a backup, back in its place; "
                f"or delete {mark} to begin with an empty one"
            )
        from yoyo.backends.core.sqlite3 import SQLiteBackend

        try:
            applied = _apply(SQLiteBackend, f"sqlite:///{quote(str(file))}", lambda first: _copy(file, first))
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as problem:
            told = f"{file} is damaged, or is no SQLite database ({problem}): put a backup back in its place"
            raise SchemaMismatch(told) from problem
        if not mark.exists():
            mark.write_text(MARK)
        return applied


def up_postgres(url: str) -> list[str]:
    """Apply what is missing in a PostgreSQL database; out: the names applied. Errors: SchemaMismatch."""
    with _advisory_lock(url):
        from yoyo.backends.core.postgresql import PostgresqlBackend

        return _apply(PostgresqlBackend, url, lambda first: None)


def _apply(kind: type[DatabaseBackend], url: str, keep: Callable[[str], None]) -> list[str]:
    """``keep`` is told the first name that is missing before a database changes in which others were applied."""
    # yoyo's get_backend finds the same classes by reading the metadata of every installed package, at each start.
    backend = kind(parse_uri(url), default_migration_table)
    backend.init_database()
    try:
        known = read_migrations(str(FOLDER))
        backend.ensure_internal_schema_updated()
        applied = {str(row[0]) for row in backend.execute("SELECT migration_id FROM _yoyo_migration")}
        if newer := sorted(applied - {migration.id for migration in known}):
            raise SchemaMismatch(
                f"the database was brought up to date by a newer version ({', '.join(newer)}): "
                "start that version, or put back the backup that was made before it"
            )
        missing = list(backend.to_apply(known))
        if applied and missing:
            keep(missing[0].id)
        backend.apply_migrations(backend.to_apply(known))
        return [migration.id for migration in missing]
    finally:
        backend.connection.close()


def _copy(file: Path, first: str) -> None:
    """Keep an SQLite database as it is before a migration; a copy that is there was made before the first attempt."""
    kept = file.with_name(f"{file.name}.before-{first}")
    if kept.exists():
        return
    part = kept.with_name(kept.name + ".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
        shutil.copymode(file, part)
        source.backup(target)
    part.rename(kept)
    logger.warning("The database is brought up to date; as it was before, it is kept as %s", kept)


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
