"""The queue of SQLite's writers: in turn, not for ever, and few of those that serve requests while nothing moves."""

from __future__ import annotations

import threading

import pytest

from store import patience, write_queue
from store.patience import Kind, Limits
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
