"""Opening: migrations, the agreement of tables and mapping, and a clear stop when they disagree."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest
from pony.orm import Database

import store
from store import accounts, db, entities, migrate, sql
from store.db import SchemaMismatch
from store.patience import Limits


def test_the_store_opens_again_after_closing(database_url: str, tmp_path: Path) -> None:
    for url in (database_url, f"sqlite:///{tmp_path}/a%20folder/second.db", database_url):
        store.open(url)
        accounts.by_email("a@example.com") or accounts.create("a@example.com", "A")
        assert len(accounts.list_all()) == 1
        store.close()
    assert (tmp_path / "a folder" / "second.db").exists()


def test_a_second_store_in_one_process_is_refused(opened_store: str) -> None:
    with pytest.raises(RuntimeError, match="open already"):
        store.open(opened_store)


def test_without_a_store_every_call_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"store\.open"):
        accounts.list_all()


@pytest.mark.parametrize("url", ["", "mysql://u:secret@h/d", "sqlite://", "sqlite:///", "postgresql://h"])
def test_another_url_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="database URL") as caught:
        store.open(url)
    assert "secret" not in str(caught.value)


def test_sqlite_is_opened_for_many_writers(tmp_path: Path) -> None:
    # Not the default of the tests, which are patient.
    store.open(f"sqlite:///{tmp_path}/s.db", limits=replace(Limits(), statement_seconds=0))
    pragma = db.reads(lambda name: sql.rows(f"PRAGMA {name}")[0][0])
    found = {name: pragma(name) for name in ("journal_mode", "busy_timeout", "synchronous", "foreign_keys")}
    store.close()
    assert found == {"journal_mode": "wal", "busy_timeout": 5000, "synchronous": 1, "foreign_keys": 1}


def test_a_missing_column_stops_the_start_and_names_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    store.open(url)
    store.close()
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("ALTER TABLE runs DROP COLUMN total_steps")
    connection.close()
    with pytest.raises(SchemaMismatch, match=r"total_steps.*backup"):
        store.open(url)
    with pytest.raises(RuntimeError):
        db.database()


def test_a_column_that_a_newer_version_added_stops_the_start(database_url: str) -> None:
    changed(database_url, "ALTER TABLE runs ADD COLUMN mood TEXT")
    try:
        with pytest.raises(SchemaMismatch, match=r"runs\.mood.*Start the version"):
            store.open(database_url + "?" * database_url.startswith("sqlite"))
        with pytest.raises(RuntimeError):
            db.database()
    finally:
        changed(database_url, "ALTER TABLE runs DROP COLUMN mood")


def test_a_migration_of_a_newer_version_stops_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    store.open(url)
    store.close()
    changed(url, "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999_later')")
    with pytest.raises(SchemaMismatch, match=r"newer version \(9999_later\).*backup"):
        store.open(url)


def test_a_damaged_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"no database at all " * 1000)
    with pytest.raises(SchemaMismatch, match=r"damaged.*backup"):
        store.open(f"sqlite:///{tmp_path}/s.db")
    assert (tmp_path / "s.db").read_bytes() == b"no database at all " * 1000


def test_where_there_was_a_database_none_is_begun_silently(tmp_path: Path) -> None:
    file, url = tmp_path / "s.db", f"sqlite:///{tmp_path}/s.db"
    store.open(url)
    store.close()
    for gone in (file.unlink, lambda: file.write_bytes(b"")):
        gone()
        with pytest.raises(SchemaMismatch, match=r"s\.db is gone.*delete .*s\.db\.made"):
            store.open(url)
    (tmp_path / "s.db.made").unlink()
    store.open(url)
    store.close()


def test_before_a_migration_the_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, url = tmp_path / "s.db", f"sqlite:///{tmp_path}/s.db"
    store.open(url)
    accounts.create("a@example.com", "A")
    store.close()
    assert not list(tmp_path.glob("*.before-*"))
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, folder)
    (folder / "9998_later.sql").write_text("-- depends: 0012_mails\nCREATE TABLE later (id TEXT);\n")
    monkeypatch.setattr(migrate, "FOLDER", folder)
    assert migrate.up_sqlite(file) == ["9998_later"]
    assert migrate.up_sqlite(file) == []
    (kept,) = tmp_path.glob("*.before-*")
    with closing(sqlite3.connect(kept)) as copy:
        assert copy.execute("SELECT email FROM accounts").fetchall() == [("a@example.com",)]
        assert copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'later'").fetchall() == []


def changed(url: str, statement: str) -> None:
    connection: Any = (
        psycopg2.connect(url)
        if url.startswith("postgres")
        else sqlite3.connect(url.removeprefix("sqlite:///").rstrip("?"))
    )
    with closing(connection), connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def test_migrations_make_the_columns_the_mapping_would_make(tmp_path: Path) -> None:
    migrate.up_sqlite(tmp_path / "migrated.db")
    mapped = Database()
    entities.declare(mapped)
    mapped.bind("sqlite", str(tmp_path / "mapped.db"), create_db=True)
    mapped.generate_mapping(create_tables=True)
    mapped.disconnect()
    assert columns(tmp_path / "migrated.db") == columns(tmp_path / "mapped.db")


def columns(file: Path) -> dict[str, set[tuple[str, bool]]]:
    connection = sqlite3.connect(file)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        table: {(row[1], bool(row[3]) or bool(row[5])) for row in connection.execute(f"PRAGMA table_info({table})")}
        for table in tables
        # segment_words is SQLite's full-text index, with tables of its own.
        if not table.startswith(("_yoyo", "yoyo", "sqlite_", "segment_words"))
    }
    connection.close()
    return found


def test_every_migration_can_be_undone(tmp_path: Path) -> None:
    from yoyo import get_backend, read_migrations

    names = {path.name.split(".")[0] for path in migrate.FOLDER.glob("[0-9]*.*")}
    assert migrate.up_sqlite(tmp_path / "s.db") == sorted(names)
    assert migrate.up_sqlite(tmp_path / "s.db") == []
    backend = get_backend(f"sqlite:///{tmp_path}/s.db")
    backend.rollback_migrations(backend.to_rollback(read_migrations(str(migrate.FOLDER))))
    backend.connection.close()
    assert columns(tmp_path / "s.db") == {}


def test_several_processes_may_start_on_a_new_database_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate.up_sqlite, [tmp_path / "s.db"] * 4))
    assert sorted(map(len, applied)) == [0, 0, 0, len({path.name[:4] for path in migrate.FOLDER.glob("[0-9]*.*")})]
