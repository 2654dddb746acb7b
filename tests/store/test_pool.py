"""The pool of connections: a stated number, shared fairly, and patience with a server that has none left."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import psycopg2  # type: ignore[import-untyped]
import pytest
from psycopg2 import extensions

from store import patience
from store.patience import Kind
from store.pool import Pool, PoolExhausted
from tests.waiting import HANG, until

FULL = "FATAL:  sorry, too many clients already"


class Connection:
    """As much of psycopg2's as a pool looks at."""

    def __init__(self) -> None:
        self.closed = 0
        self.info = SimpleNamespace(transaction_status=extensions.TRANSACTION_STATUS_IDLE)

    def rollback(self) -> None:
        self.info.transaction_status = extensions.TRANSACTION_STATUS_IDLE

    def close(self) -> None:
        self.closed = 1


class Server:
    """Opens connections; refuses with the next of ``refusals``, as long as there are some."""

    def __init__(self, *refusals: str) -> None:
        self.opened: list[Connection] = []
        self.refusals = list(refusals)
        self.asked = threading.Semaphore(0)

    def __call__(self) -> Connection:
        self.asked.release()
        if self.refusals:
            raise psycopg2.OperationalError(self.refusals.pop(0))
        self.opened.append(Connection())
        return self.opened[-1]


class Holder(threading.Thread):
    """A thread that takes a connection, and keeps it until it is told to let go."""

    def __init__(self, pool: Pool, kind: Kind = Kind.REQUEST) -> None:
        super().__init__(daemon=True)
        self.pool, self.kind, self.error = pool, kind, ""
        self.has, self.let_go = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        patience._here.kind = self.kind
        try:
            connection, _ = self.pool.connect()
        except psycopg2.OperationalError as error:
            self.error = str(error)
            self.has.set()
            return
        self.has.set()
        self.let_go.wait(HANG)
        self.pool.release(connection)


MakeHolder = Callable[..., Holder]


@pytest.fixture
def hold() -> Iterator[MakeHolder]:
    made: list[Holder] = []

    def make(pool: Pool, kind: Kind = Kind.REQUEST) -> Holder:
        made.append(Holder(pool, kind))
        return made[-1]

    yield make
    for one in made:
        one.let_go.set()
        one.join(HANG)


def has_one(holder: Holder) -> bool:
    return holder.has.wait(HANG) and not holder.error


def test_one_connection_serves_one_transaction_after_the_other() -> None:
    server = Server()
    pool = Pool(server, 4, 0)
    for _ in range(10):
        connection, _ = pool.connect()
        pool.release(connection)
    assert len(server.opened) == 1


def test_no_more_are_open_than_stated_and_the_next_one_waits_for_its_turn(hold: MakeHolder) -> None:
    server = Server()
    pool = Pool(server, 4, HANG)
    first = [hold(pool, kind) for kind in (Kind.REQUEST, Kind.RUN, Kind.KEEPER, Kind.KEEPER)]
    assert all(map(has_one, first))
    later = [hold(pool), hold(pool, Kind.RUN)]
    for one in first:
        one.let_go.set()
    assert all(map(has_one, later))
    assert len(server.opened) <= 4


def test_who_finds_none_free_is_refused_after_the_stated_time(hold: MakeHolder) -> None:
    pool = Pool(Server(), 4, 0.01)
    holders = [hold(pool, Kind.KEEPER) for _ in range(4)]
    assert all(map(has_one, holders))
    with pytest.raises(PoolExhausted, match="all 4 connections"):
        pool.connect()
    refused = hold(pool)
    assert refused.has.wait(HANG)
    assert "in use" in refused.error
    for one in holders:
        one.let_go.set()
        one.join(HANG)
    assert has_one(hold(pool)), "who gave up takes no turn any more"


def test_neither_requests_nor_runs_take_all_and_some_are_kept_for_the_keepers(hold: MakeHolder) -> None:
    pool = Pool(Server(), 10, 0.01)
    requests = [hold(pool) for _ in range(10)]
    assert [has_one(one) for one in requests].count(True) == 6  # three quarters of the eight that are shared
    runs = [hold(pool, Kind.RUN) for _ in range(10)]
    assert [has_one(one) for one in runs].count(True) == 2
    assert all(has_one(hold(pool, Kind.KEEPER)) for _ in range(2))


def test_what_looks_after_all_runs_comes_before_those_who_wait_already(hold: MakeHolder) -> None:
    pool = Pool(Server(), 4, HANG)
    first = [hold(pool, Kind.KEEPER) for _ in range(4)]
    assert all(map(has_one, first))
    request = hold(pool)
    until(lambda: len(pool._queue) == 1)
    keeper = hold(pool, Kind.KEEPER)
    until(lambda: len(pool._queue) == 2)
    first[0].let_go.set()
    assert has_one(keeper)
    assert not request.has.is_set()


def test_who_comes_later_does_not_overtake_who_waits(hold: MakeHolder) -> None:
    pool = Pool(Server(), 4, HANG)
    assert all(has_one(hold(pool, Kind.KEEPER)) for _ in range(3))
    pool._scarce_until = math.inf  # the server has none left for a fourth
    earlier = hold(pool, Kind.RUN)
    until(lambda: len(pool._queue) == 1)
    pool._scarce_until = 0.0
    later = hold(pool, Kind.RUN)
    assert has_one(earlier)
    until(lambda: len(pool._queue) == 1)
    assert not later.has.is_set()


def test_a_server_that_has_none_left_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.001)
    server = Server(FULL, "FATAL:  the database system is starting up", "connection refused")
    connection, is_new = Pool(server, 4, HANG).connect()
    assert is_new
    assert connection is server.opened[0]


def test_where_the_server_has_none_left_the_pool_makes_do_with_those_it_has(hold: MakeHolder) -> None:
    server = Server()
    pool = Pool(server, 20, HANG)
    first = hold(pool)
    assert has_one(first)
    server.refusals = [FULL] * 20
    others = [hold(pool) for _ in range(5)]
    assert server.asked.acquire(timeout=HANG)
    assert server.asked.acquire(timeout=HANG)
    first.let_go.set()
    for one in others:
        assert has_one(one)
        one.let_go.set()
    assert len(server.opened) == 1


def test_a_wrong_password_is_told_at_once() -> None:
    server = Server(*['FATAL:  password authentication failed for user "a"'] * 9)
    with pytest.raises(psycopg2.OperationalError, match="password"):
        Pool(server, 4, 3600).connect()
    assert len(server.refusals) == 8


def test_who_is_refused_by_the_server_gives_the_turn_back() -> None:
    pool = Pool(Server(*['FATAL:  password authentication failed for user "a"'] * 9), 4, 0.01)
    for _ in range(9):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            pool.connect()
    assert pool.connect()[1]


def test_a_thread_has_one_connection_and_asks_for_no_second() -> None:
    pool = Pool(Server(), 4, 3600)
    connection, _ = pool.connect()
    with pytest.raises(RuntimeError, match="second connection"):
        pool.connect()
    pool.release(connection)


def test_what_is_left_of_a_transaction_is_undone_before_the_next_one() -> None:
    pool = Pool(Server(), 4, 0)
    connection, _ = pool.connect()
    connection.info.transaction_status = extensions.TRANSACTION_STATUS_INERROR
    pool.release(connection)
    assert pool.connect() == (connection, False)
    assert connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE


def test_a_broken_connection_takes_the_free_ones_with_it(hold: MakeHolder) -> None:
    server = Server()
    pool = Pool(server, 4, HANG)
    holders = [hold(pool), hold(pool, Kind.KEEPER)]
    assert all(map(has_one, holders))
    connection, _ = pool.connect() if pool._has_room(Kind.REQUEST) else (None, False)
    for one in holders:
        one.let_go.set()
        one.join(HANG)
    if connection is None:
        connection, _ = pool.connect()
    pool.drop(connection)
    assert all(one.closed for one in server.opened)
    assert pool.connect()[1]


def test_who_is_interrupted_while_waiting_takes_no_turn(hold: MakeHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(Server(), 1, HANG)
    holder = hold(pool)
    assert has_one(holder)

    def interrupt(_waiter: object, _seconds: float) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("store.pool._Waiter.wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.connect()
    holder.let_go.set()
    holder.join(HANG)
    assert has_one(hold(pool))
