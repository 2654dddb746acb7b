"""A store under pressure: another process writes, the file is gone, a thread ends."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pony.orm
import pytest

import store
from store import accounts, db, faults, patience, sessions
from store.patience import Limits
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.world import World


@contextmanager
def written_by_another(file: Path) -> Iterator[sqlite3.Connection]:
    """Another process's write lock on an SQLite file."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Iterator[Path]:
    """An open store in a file, whose writers wait for a moment only."""
    store.open(f"sqlite:///{tmp_path}/s.db", limits=Limits(wait_seconds=0.01))
    yield tmp_path / "s.db"
    store.close()


def test_while_another_process_writes_readers_read_and_writers_are_told_to_come_again(sqlite_file: Path) -> None:
    with written_by_another(sqlite_file):
        with pytest.raises(db.Away) as caught:
            accounts.create("a@example.com", "A")
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
        assert accounts.list_all() == []
    accounts.create("a@example.com", "A")
    assert len(accounts.list_all()) == 1


def test_what_carries_out_a_run_waits_for_the_store_as_long_as_the_run_lives(
    sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = 0
    with written_by_another(sqlite_file) as other:

        def rest(_seconds: float) -> None:
            nonlocal rests
            rests += 1
            if rests == 3:
                other.execute("ROLLBACK")

        monkeypatch.setattr(patience.time, "sleep", rest)
        with patience.carrying(lambda: False):
            accounts.create("a@example.com", "A")
        assert rests == 3
        other.execute("BEGIN IMMEDIATE")
        with patience.carrying(lambda: True), pytest.raises(db.Away):
            accounts.create("b@example.com", "B")


def test_a_token_is_known_while_another_process_writes(world: World, clock: FakeClock, tmp_path: Path) -> None:
    if db.is_postgres():
        return  # a row's lock is no other reader's there
    clock.advance(3600)
    with written_by_another(tmp_path / "store.db"):
        caller = sessions.resolve(world.owner_token)
    assert caller is not None
    assert caller.account_id == world.owner.id


def test_a_file_that_is_gone_is_away_and_is_not_made_anew(sqlite_file: Path, tmp_path: Path) -> None:
    accounts.create("a@example.com", "A")
    store.close()  # so that all of it is in the one file
    shutil.copy(sqlite_file, tmp_path / "copy.db")
    store.open(f"sqlite:///{sqlite_file}", limits=Limits(wait_seconds=0.01))
    assert len(accounts.list_all()) == 1
    sqlite_file.unlink()
    told = race(accounts.list_all, lambda: accounts.create("b@example.com", "B"))
    assert [type(one) for one in told] == [db.Away, db.Away], told
    with pytest.raises(db.Away):
        accounts.list_all()
    assert not sqlite_file.exists()
    for left in tmp_path.glob("s.db-*"):
        left.unlink()
    shutil.copy(tmp_path / "copy.db", sqlite_file)
    assert len(accounts.list_all()) == 1


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_thread_that_ends_closes_its_connection(sqlite_file: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def read() -> None:
        accounts.list_all()
        opened.append(db.database().provider.pool.con)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_a_lost_commit_is_not_tried_again_and_a_statement_that_takes_too_long_neither() -> None:
    class Told(Exception):
        def __init__(self, pgcode: str) -> None:
            self.pgcode = pgcode

    def wrapped(pgcode: str) -> pony.orm.OperationalError:
        return pony.orm.OperationalError(Told(pgcode))

    assert faults.is_passing(wrapped("53300"))
    assert faults.is_passing(wrapped("55P03"))
    assert not faults.is_passing(wrapped("57014"))
    assert not faults.is_passing(pony.orm.CommitException(wrapped("57P01"), [(None, wrapped("57P01"), None)]))
