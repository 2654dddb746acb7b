"""The queue of SQLite's writers: in turn, not for ever, and few of those that serve requests while nothing moves."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from store import patience, write_queue
from store.patience import Kind, Limits
from store.sqlite import SqliteProvider
from store.write_queue import WriteQueue, WritersWait
from tests.waiting import HANG, until


class Writer(threading.Thread):
    """A thread that waits for the lock, notes that it had it, and lets the next one on."""

    def __init__(self, queue: WriteQueue, name: str, order: list[str], kind: Kind = Kind.REQUEST) -> None:
        super().__init__(daemon=True, name=name)
        self.queue, self.order, self.kind, self.refused = queue, order, kind, False
        self.start()

    def run(self) -> None:
        patience._here.kind = self.kind
        try:
            self.queue.enter()
        except WritersWait:
            self.refused = True
            return
        self.order.append(self.name)
        self.queue.leave(done=True)


def test_writers_take_turns_and_who_looks_after_runs_is_first() -> None:
    queue, order = WriteQueue(Limits(wait_seconds=HANG)), list[str]()
    queue.enter()
    writers = []
    for name, kind in (("request_1", Kind.REQUEST), ("run", Kind.RUN), ("run-events", Kind.KEEPER)):
        writers.append(Writer(queue, name, order, kind))
        until(lambda: len(queue._queue) == len(writers))
    queue.leave(done=True)
    for one in writers:
        one.join(HANG)
    assert order == ["run-events", "request_1", "run"]


def test_a_writer_gives_up_after_the_stated_time() -> None:
    queue = WriteQueue(Limits(wait_seconds=0.01))
    queue.enter()
    waiting = Writer(queue, "run", [], Kind.RUN)
    waiting.join(HANG)
    assert waiting.refused
    queue.leave(done=True)
    assert queue.enter() > 0


def test_while_nothing_moves_few_requests_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "STALLED_SECONDS", 0)
    queue, order = WriteQueue(Limits(wait_seconds=HANG, waiting_writers=2)), list[str]()
    holder = threading.Thread(target=queue.enter, name="request_0")
    holder.start()
    holder.join(HANG)
    patient = Writer(queue, "request_1", order)
    until(lambda: len(queue._queue) == 1)
    refused = Writer(queue, "request_2", order)
    refused.join(HANG)
    assert refused.refused
    assert not order
    run = Writer(queue, "run", order, Kind.RUN)
    until(lambda: len(queue._queue) == 2)
    queue.leave(done=True)
    patient.join(HANG)
    run.join(HANG)
    assert order == ["request_1", "run"]


def test_while_writes_go_on_any_number_of_requests_may_wait() -> None:
    queue, order = WriteQueue(Limits(wait_seconds=HANG, waiting_writers=2)), list[str]()
    queue.enter()
    writers = [Writer(queue, f"request_{number}", order) for number in range(20)]
    queue.leave(done=True)
    for one in writers:
        one.join(HANG)
    assert len(order) == 20
    assert not any(one.refused for one in writers)


def test_who_is_in_a_hurry_waits_for_nobody() -> None:
    queue = WriteQueue(Limits(wait_seconds=3600))
    queue.enter()
    with patience.hurried(), pytest.raises(WritersWait):
        queue.enter()


def test_while_nothing_moves_few_threads_of_pages_and_streams_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "STALLED_SECONDS", 0)
    queue, order = WriteQueue(Limits(wait_seconds=HANG, waiting_writers=100)), list[str]()
    queue.enter()
    patient = []
    for number in range(3):
        patient.append(Writer(queue, f"pages_{number}", order))
        until(lambda: len(queue._queue) == len(patient))
    refused = Writer(queue, "pages_3", order)
    refused.join(HANG)
    assert refused.refused
    queue.leave(done=True)
    for one in patient:
        one.join(HANG)
    assert len(order) == 3


def test_only_a_write_that_was_done_says_that_something_moves() -> None:
    queue = WriteQueue(Limits())
    queue.enter()
    entered = queue._moved
    queue.leave(done=False)
    assert queue._moved == entered
    queue.leave(done=True)
    assert queue._moved > entered


def test_what_was_waited_for_in_the_queue_is_not_waited_for_at_the_file_again() -> None:
    told: list[str] = []
    provider: Any = object.__new__(SqliteProvider)
    provider._wait, provider._queue = 5, SimpleNamespace(enter=lambda: 0.25)
    cache = SimpleNamespace(immediate=True, in_transaction=False)
    provider.set_transaction_mode(SimpleNamespace(execute=told.append), cache)
    assert told == ["PRAGMA busy_timeout=250", "BEGIN IMMEDIATE TRANSACTION", "PRAGMA busy_timeout=5000"]
    assert cache.in_transaction
