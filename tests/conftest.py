"""Fixtures for every test: time and ids that stand still, a fresh store, and a small world in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

import store
from store import accounts, db, write_queue
from tests import databases
from tests.doubles import FakeClock, FakeIds
from tests.waiting import HANG
from tests.world import World, build

FULL_EFFORT = accounts._hasher

# Where Python may write no bytecode (many images say so), each worker and each server that a test starts would compile
# every library anew: they share what they compile, in a folder of its own.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode"))


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes only by ``clock.advance(seconds)``."""
    return FakeClock()


@pytest.fixture
def ids() -> FakeIds:
    """Ids, tokens and codes that are the same in every run."""
    return FakeIds()


@pytest.fixture(autouse=True, scope="session")
def cheap_passwords() -> Iterator[None]:
    """argon2 at its least effort: what tests look at is not how long guessing takes. See ``full_effort``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(autouse=True, scope="session")
def one_mapping() -> Iterator[None]:
    """Stores in fresh files share their mapping."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "bind", databases.bind_fresh(db.bind))
        yield


@pytest.fixture(autouse=True, scope="session")
def patient_writers() -> Iterator[None]:
    """On a busy machine nothing may move for a moment, though no other process holds a file's lock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_queue, "STALLED_SECONDS", HANG)
        yield


@pytest.fixture(autouse=True, scope="session")
def patient_clients() -> None:
    """httpx gives up after five seconds unless told otherwise: on a busy machine that would be a clock."""
    for kind in ("connect", "read", "write", "pool"):
        setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, kind, HANG)


@pytest.fixture
def full_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as the server hashes them."""
    monkeypatch.setattr(accounts, "_hasher", FULL_EFFORT)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str | None]:
    """A database of our own on the server of ``DIFYSPEC_TEST_DATABASE``, dropped at the end, or None."""
    server = databases.wanted_server()
    if server is None:
        yield None
        return
    url = databases.create_postgres(server)
    store.open(url)
    store.close()
    yield url
    databases.drop_postgres(server)


@pytest.fixture
def database_url(postgres_url: str | None, tmp_path: Path) -> str:
    """The URL of an empty database with all tables."""
    if postgres_url is None:
        return databases.fresh_sqlite(tmp_path)
    databases.empty_postgres(postgres_url)
    return postgres_url


@pytest.fixture
def opened_store(database_url: str, clock: FakeClock, ids: FakeIds) -> Iterator[str]:
    """An open, empty store with the fake clock and ids; gives its URL."""
    store.open(database_url, clock=clock, ids=ids)
    yield database_url
    store.close()


@pytest.fixture
def world(opened_store: str) -> World:
    """Two people, two workspaces, their apps and an external subject: see ``tests/world.py``."""
    return build()
