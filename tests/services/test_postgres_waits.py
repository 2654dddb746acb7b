"""What PostgreSQL is told of waiting: no statement waits for a lock, or works, longer than the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2  # type: ignore[import-untyped]
import pytest

import store
from store import accounts, db, patience, postgres, sql
from store.patience import Limits

LIMITS = Limits(wait_seconds=0.05, statement_seconds=0.2)
ENDLESS = "SELECT pg_sleep(600)"


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another process has a table to itself."""
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.fixture
def opened(postgres_url: str) -> Iterator[str]:
    store.open(postgres_url, limits=LIMITS)
    yield postgres_url
    store.close()


def test_who_meets_a_lock_that_somebody_keeps_is_told_to_come_again(opened: str) -> None:
    with locked(opened):
        with pytest.raises(db.Away) as caught:
            accounts.list_all()
        assert (caught.value.status, caught.value.headers, caught.value.passes) == (503, {"Retry-After": "5"}, True)
    assert accounts.list_all() == []


def test_a_statement_that_takes_too_long_is_ended_and_not_begun_again(opened: str) -> None:
    asked = []

    @db.reads
    def endless() -> None:
        asked.append(1)
        sql.rows(ENDLESS)

    with patience.carrying(lambda: False), pytest.raises(db.Away) as caught:
        endless()
    assert (caught.value.passes, len(asked)) == (False, 1)


def test_what_the_url_says_of_waiting_wins(postgres_url: str) -> None:
    own = f"{postgres_url}?options=-c%20lock_timeout%3D1234"
    with closing(postgres.connect(own, LIMITS)) as connection, connection.cursor() as cursor:
        told = {}
        for name in ("lock_timeout", "statement_timeout"):
            cursor.execute(f"SHOW {name}")
            told[name] = cursor.fetchone()[0]
    assert told == {"lock_timeout": "1234ms", "statement_timeout": "200ms"}


def test_a_transaction_that_stands_still_lets_go_of_what_it_locked(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STANDSTILL_SECONDS", 0.2)
    patient = f"{postgres_url}?options=-c%20lock_timeout%3D0%20-c%20statement_timeout%3D0"
    with closing(postgres.connect(postgres_url, LIMITS)) as frozen, closing(postgres.connect(patient, LIMITS)) as other:
        frozen.cursor().execute("SELECT pg_advisory_xact_lock(7)")
        other.cursor().execute("SELECT pg_advisory_xact_lock(7)")  # returns once the server has ended the other's
        with pytest.raises(psycopg2.Error):
            frozen.cursor().execute("SELECT 1")
