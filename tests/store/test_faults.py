"""What a transaction does that met another one, or a database in trouble."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pony.orm
import psycopg2  # type: ignore[import-untyped]
import pytest
from pony.orm.dbapiprovider import DBAPIProvider

import store
from store import accounts, db, sql
from store.refusal import Refusal
from tests.store.racing import race
from tests.waiting import HANG
from tests.world import World


def test_of_two_transactions_that_wait_for_each_other_both_are_done(world: World) -> None:
    met, tries = threading.Barrier(2), itertools.count()

    def both(first: str, second: str) -> Callable[[], None]:
        def touch() -> None:
            for account_id in (first, second):
                sql.change("UPDATE accounts SET name = 'x' WHERE id = ?", account_id)
                if account_id == first and db.is_postgres() and next(tries) < 2:
                    met.wait(HANG)  # SQLite has one lock for all: there they never meet

        return db.writes(touch)

    one, other = world.owner.id, world.other.id
    assert race(both(one, other), both(other, one)) == [None, None]


def test_of_a_transaction_whose_connection_broke_not_even_the_rest_is_done(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database_url.startswith("postgres"):
        # Pony goes on by itself with PostgreSQL only; here it is made to.
        monkeypatch.setattr(DBAPIProvider, "should_reconnect", lambda provider, problem: True)
        database_url = f"sqlite:///{tmp_path}/its_own.db"
    store.open(database_url)
    try:
        first, second = (accounts.create(f"{name}@example.com", name).id for name in "ab")

        @db.writes
        def both() -> None:
            sql.change("UPDATE accounts SET name = 'x' WHERE id = ?", first)
            if db.is_postgres():
                (pid,) = sql.row("SELECT pg_backend_pid()")
                end_connection(database_url, pid)
            else:
                db.database().get_connection().set_progress_handler(lambda: True, 1)
            sql.change("UPDATE accounts SET name = 'x' WHERE id = ?", second)

        with pytest.raises((Refusal, pony.orm.OperationalError)):
            both()
        store.close()
        store.open(database_url)
        assert [account.name for account in accounts.list_all()] == ["a", "b"]
    finally:
        store.close()


def end_connection(url: str, pid: int) -> None:
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
