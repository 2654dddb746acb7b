"""What a run told its readers can be read again, whatever happens in the next moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from engine import follow, runs, stream
from engine.events.log import AT_ONCE, EventLog, Follower
from engine.events.writer import GATHER_SECONDS, Writer
from engine.watch import Watch
from store.events import Batch
from tests.engine.graphs import chat_document
from tests.waiting import HANG


class Disk:
    """A store that can be away, or be another process's."""

    def __init__(self) -> None:
        self.held: dict[int, str] = {}
        self.together: list[set[str]] = []
        self.away, self.failed = False, 0
        self.open = threading.Event()
        self.open.set()

    def append(self, _run_id: str, first: int, payloads: list[str]) -> bool:
        self.open.wait(HANG)
        if self.away:
            self.failed += 1
            raise OSError("away")
        if first in self.held:
            return False
        self.held |= dict(enumerate(payloads, first))
        return True

    def append_all(self, batches: Iterable[Batch]) -> None:
        """As `store.events.append_all`; remembers which runs came together."""
        found = list(batches)
        if self.away or any(one.first_seq in self.held for one in found):
            raise OSError("away, or taken")
        self.together.append({one.run_id for one in found})
        for one in found:
            self.append(one.run_id, one.first_seq, one.payloads)


def test_an_event_is_shown_only_when_it_is_stored() -> None:
    disk = Disk()
    log = EventLog("run", disk.append)
    disk.away = True
    log.append("a")
    assert not log.flush()
    assert log.since(0) == ([], False)
    disk.away = False
    log.append("b")
    assert log.flush()
    assert log.since(0) == ([(1, "a"), (2, "b")], False)
    assert disk.held == {1: "a", 2: "b"}


def test_the_writer_tries_again_until_the_store_is_back(soon: Any) -> None:
    disk = Disk()
    writer = Writer(disk.append_all)
    disk.away = True
    log = EventLog("run", disk.append)
    log.append("a")
    writer.mark(log)
    soon(lambda: disk.failed)
    disk.away = False
    soon(lambda: log.since(0)[0])
    writer.close()
    assert disk.held == {1: "a"}


def test_numbers_that_another_process_has_written_are_never_told_here() -> None:
    disk = Disk()
    log = EventLog("run", disk.append, base=4)
    log.append("ours")
    assert log.flush()
    disk.held[6] = "theirs"
    log.append("late")
    log.flush()
    log.finish(["end"], lambda first, batch: pytest.fail("a lost run has no end of ours"))
    assert log.since(4) == ([(5, "ours")], True)
    assert log.halted


def test_an_end_is_told_when_the_store_is_back() -> None:
    disk = Disk()
    log = EventLog("run", disk.append)
    log.append("a")
    log.flush()
    disk.away = True
    assert not log.finish(["end"], lambda first, batch: disk.append("run", first, batch))
    assert log.since(0) == ([(1, "a")], False)
    disk.away = False
    assert log.flush()
    assert log.since(0) == ([(1, "a"), (2, "end")], True)


def test_what_is_left_is_stored_with_the_end_in_one_go() -> None:
    log = EventLog("run", Disk().append)
    log.append("a")
    stored: list[tuple[int, list[str]]] = []

    def record(first: int, batch: list[str]) -> bool:
        stored.append((first, batch))
        return True

    assert log.finish(["end"], record)
    assert stored == [(1, ["a", "end"])]
    assert log.since(0) == ([(1, "a"), (2, "end")], True)


def test_a_reader_is_given_a_handful_at_a_time() -> None:
    log = EventLog("r", lambda run_id, first, payloads: True)
    for _ in range(5):
        log.append("x" * (AT_ONCE // 2))
    log.finish([], lambda first, payloads: True)
    batches, last, finished = [], 0, False
    while not finished:
        found, finished = log.since(last)
        last = found[-1][0]
        batches.append([number for number, _ in found])
    assert batches == [[1, 2], [3, 4], [5]]


def test_a_reader_is_woken_by_the_write() -> None:
    disk = Disk()
    log = EventLog("run", disk.append)

    async def read() -> list[tuple[int, str]]:
        follower = Follower()
        log.join(follower)
        log.append("a")
        assert not follower.event.is_set()
        await asyncio.to_thread(log.flush)
        async with asyncio.timeout(HANG):
            await follower.event.wait()
        return log.since(0)[0]

    assert asyncio.run(read()) == [(1, "a")]


def test_a_reader_is_woken_by_each_write_and_not_only_by_the_first() -> None:
    log = EventLog("run", Disk().append)
    machine: Any = SimpleNamespace(closed=False, live={"run": SimpleNamespace(log=log, abandoned=False)}, watch=Watch())
    told: list[str] = []

    async def read(given: asyncio.Event) -> None:
        async for batch in follow.batches(machine, "run", 0, idle=3600, through_pauses=False, reader=Follower()):
            told.extend(payload for _, payload in batch)
            given.set()

    async def write() -> None:
        given = asyncio.Event()
        async with asyncio.timeout(HANG), asyncio.TaskGroup() as tasks:
            tasks.create_task(read(given))
            for text in "abc":
                await asyncio.sleep(0)  # the reader has taken what there was, and waits
                log.append(text)
                log.flush()
                await given.wait()
                given.clear()
            log.finish([], lambda first, batch: True)

    asyncio.run(write())
    assert told == ["a", "b", "c"]


def test_an_end_that_comes_while_events_are_written_is_written_after_them() -> None:
    disk = Disk()
    log = EventLog("run", disk.append)
    log.append("a")
    disk.open.clear()
    writing = threading.Thread(target=log.flush)
    writing.start()
    ending = threading.Thread(target=log.finish, args=(["end"], lambda first, batch: disk.append("run", first, batch)))
    ending.start()
    disk.open.set()
    writing.join(HANG)
    ending.join(HANG)
    assert disk.held == {1: "a", 2: "end"}
    assert log.since(0) == ([(1, "a"), (2, "end")], True)


def test_a_burst_of_events_wakes_a_reader_once_until_it_looks() -> None:
    calls: list[object] = []
    loop: Any = Mock(call_soon_threadsafe=lambda *call: calls.append(call))

    async def follower() -> Follower:
        return Follower()

    reader = asyncio.run(follower())
    reader.loop = loop
    log = EventLog("run", Disk().append)
    log.join(reader)
    for _ in range(3):
        log.append("a")
        log.flush()
    assert len(calls) == 1
    reader.clear()
    log.append("a")
    log.flush()
    assert len(calls) == 2
    reader.clear()
    log.leave(reader)
    log.append("a")
    log.flush()
    assert len(calls) == 2


def test_a_reader_whose_loop_is_closed_hinders_nobody() -> None:
    async def follower() -> Follower:
        return Follower()

    log = EventLog("run", Disk().append)
    log.join(asyncio.run(follower()))
    log.append("a")
    assert log.flush()


def test_nothing_new_is_nothing_to_read() -> None:
    log = EventLog("run", Disk().append, base=3)
    assert log.since(3) == ([], False)
    for text in "ab":
        log.append(text)
    log.flush()
    assert log.since(4) == ([(5, "b")], False)
    assert log.since(5) == ([], False)
    assert log.since(0) == ([(4, "a"), (5, "b")], False), "what came before this log is elsewhere"


def test_a_moment_of_standing_still_is_stored_after_what_was_told_and_then_shown() -> None:
    disk = Disk()
    log = EventLog("run", disk.append, base=2)
    log.append("a")
    seen: list[int] = []

    def store(first: int) -> bool:
        seen.append(first)
        assert len(log.since(2)[0]) == first - 3, "it is not shown yet"
        return True

    assert log.halt(["kept"], store, last=False)
    assert (log.finished, log.halted) == (False, False)
    assert log.since(2) == ([(3, "a"), (4, "kept")], False)
    assert log.halt(["paused"], store, last=True)
    assert seen == [4, 5]
    assert log.since(4) == ([(5, "paused")], True)
    assert log.halted
    assert not log.halt(["again"], pytest.fail, last=True)  # type: ignore[arg-type]


def test_a_moment_that_was_not_stored_was_not() -> None:
    log = EventLog("run", Disk().append)
    assert not log.halt(["paused"], lambda first: False, last=True)
    assert log.since(0) == ([], False)
    log.append("a")
    assert log.flush()
    assert log.since(0) == ([(1, "a")], False)


def test_a_run_does_not_stand_still_before_what_it_told_is_stored() -> None:
    disk = Disk()
    log = EventLog("run", disk.append)
    log.append("a")
    disk.away = True
    with pytest.raises(RuntimeError, match="could not be stored"):
        log.halt(["paused"], pytest.fail, last=True)  # type: ignore[arg-type]
    disk.away = False
    assert log.halt(["paused"], lambda first: first == 2, last=True)


@pytest.mark.parametrize(("told", "held"), [(True, {1: "a"}), (False, {})])
def test_a_log_that_is_let_go_sends_its_readers_away(told: bool, held: dict[int, str]) -> None:
    disk = Disk()
    log = EventLog("run", disk.append)
    log.append("a")
    log.abandon(told=told)
    assert disk.held == held
    assert (log.finished, log.halted) == (True, True)
    assert log.since(0) == (sorted(held.items()), True)
    log.append("late")
    assert log.flush(), "there is nothing to try again"
    assert disk.held == held


def test_a_store_that_is_away_is_told_of_once_each_time(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    log = EventLog("run", disk.append)
    for times in (1, 2):
        log.append("a")
        disk.away = True
        for _ in range(3):
            assert not log.flush()
            assert len(caplog.records) == times
        disk.away = False
        assert log.flush()


def test_events_are_claimed_by_one_at_a_time_and_the_end_by_none() -> None:
    log = EventLog("run", Disk().append, base=1)
    assert log.claim() is None, "there is nothing"
    log.append("a")
    batch = log.claim()
    assert batch == Batch("run", 2, ["a"])
    assert log.claim() is None, "it is being stored"
    log.settle(batch, stored=False)
    assert log.since(1) == ([], False)
    again = log.claim()
    assert again == batch
    log.settle(again, stored=True)
    assert log.since(1) == ([(2, "a")], False)
    log.append("b")

    def away(first: int, payloads: list[str]) -> bool:
        raise OSError("away")

    assert not log.finish(["end"], away)
    assert log.claim() is None, "the end is stored with it"
    assert log.finish(["end"], lambda first, batch: (first, batch) == (3, ["b", "end"]))
    log.append("late")
    assert log.claim() is None, "it is over"


def test_a_writer_that_sleeps_is_woken_by_the_next_event(soon: Callable[..., Any]) -> None:
    disk = Disk()
    writer = Writer(disk.append_all)
    log = EventLog("run", disk.append)
    for text in "abc":
        soon(lambda: writer._thread is None or writer._asleep)
        log.append(text)
        writer.mark(log)
        writer.mark(log)
        soon(lambda text=text: disk.held.get("abc".index(text) + 1) == text)
    writer.close()
    assert len(disk.together) == 3


def test_a_writer_gathers_between_two_writes_and_not_before_the_first(
    soon: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("engine.events.writer.time", SimpleNamespace(sleep=naps.append, monotonic=lambda: 100.0))
    disk = Disk()
    writer = Writer(disk.append_all)
    log = EventLog("run", disk.append)
    for text in "ab":
        log.append(text)
        writer.mark(log)
        soon(lambda text=text: text in disk.held.values())
    writer.close()
    assert naps == pytest.approx([0, GATHER_SECONDS])


def test_a_writer_that_is_closed_writes_what_waits_and_ends(soon: Callable[..., Any]) -> None:
    disk = Disk()
    writer = Writer(disk.append_all)
    first, second = EventLog("first", disk.append), EventLog("second", disk.append, base=1)
    first.append("a")
    second.append("b")
    disk.open.clear()
    writer.mark(first)
    soon(lambda: disk.together)
    writer.mark(second)
    closing = threading.Thread(target=writer.close)
    closing.start()
    soon(lambda: writer._closed)
    disk.open.set()
    closing.join(HANG)
    assert disk.held == {1: "a", 2: "b"}
    assert writer._thread
    assert not writer._thread.is_alive()


def test_a_writer_that_is_closed_does_not_wait_for_a_store_that_is_away() -> None:
    disk = Disk()
    disk.away = True
    writer = Writer(disk.append_all)
    log = EventLog("run", disk.append)
    log.append("a")
    writer.mark(log)
    writer.close()
    assert writer._thread
    assert not writer._thread.is_alive()
    Writer(disk.append_all).close()  # nothing was ever marked


def test_the_events_of_several_runs_are_written_together(soon: Callable[..., Any]) -> None:
    disk = Disk()
    writer = Writer(disk.append_all)
    # Each run counts on where the one before it ended, as they share one disk here.
    logs = [EventLog(f"run {number}", disk.append, base=number) for number in range(20)]
    for log in logs:
        log.append("a")
    disk.open.clear()
    writer.mark(logs[0])
    soon(lambda: disk.together)
    for log in logs[1:]:
        writer.mark(log)
    disk.open.set()
    soon(lambda: all(log.since(log.base)[0] for log in logs))
    writer.close()
    assert disk.together[:2] == [{"run 0"}, {f"run {number}" for number in range(1, 20)}]


def test_a_run_that_cannot_be_written_does_not_hold_up_the_others(soon: Callable[..., Any]) -> None:
    disk = Disk()
    writer = Writer(disk.append_all)
    first, lost, fine = (EventLog(name, disk.append, base) for name, base in (("first", 0), ("lost", 4), ("fine", 9)))
    for log in (first, lost, fine):
        log.append("a")
    disk.held[5] = "theirs"
    disk.open.clear()
    writer.mark(first)
    soon(lambda: disk.together)
    writer.mark(lost)
    writer.mark(fine)
    disk.open.set()
    soon(lambda: lost.finished and fine.since(9)[0])
    writer.close()
    assert fine.since(9) == ([(10, "a")], False)
    assert lost.since(4) == ([], True)
    assert disk.held == {1: "a", 5: "theirs", 10: "a"}


def test_nobody_streams_to_a_client_that_has_left(bench: Any) -> None:
    run = bench.start(bench.app(chat_document(chunks=1, delay_ms=60_000)))

    async def serve() -> list[dict[str, Any]]:
        left = asyncio.Event()
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if b"node_started" in message.get("body", b""):
                left.set()

        async with asyncio.timeout(HANG):
            await stream.response(run)({"type": "http"}, receive, send)
        return sent

    sent = asyncio.run(serve())
    assert sent[-1]["more_body"] is True, "it was cut, not ended"
    assert not runs.machine().live[run.id].log._followers
    assert bench.stored(run).status == "running"
    runs.stop(run)


def test_what_is_large_is_written_alone_and_after_what_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.events.writer.AT_ONCE", 10)
    disk = Disk()
    writer = Writer(disk.append_all)
    sizes = {"large": 25, "small": 3, "smaller": 2, "half": 6, "other": 12}
    logs = {EventLog(name, disk.append, base=100 * at): size for at, (name, size) in enumerate(sizes.items())}
    for log, size in logs.items():
        log.append("x" * size)
    assert writer._write(set(logs)) == set()
    assert disk.together == [{"smaller", "small"}, {"half"}, {"other"}, {"large"}]
    assert all(log.since(log.base)[0] for log in logs)


def test_a_large_write_that_fails_takes_back_nothing_of_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.events.writer.AT_ONCE", 10)
    disk = Disk()
    writer = Writer(disk.append_all)
    small, large, last = (EventLog(name, disk.append, base=100 * at) for at, name in enumerate("abc"))
    for log, size in ((small, 3), (large, 20), (last, 30)):
        log.append("x" * size)
    disk.held[101] = "taken"
    assert writer._write({small, large, last}) == set()
    assert disk.together == [{"a"}]
    assert small.since(0)[0]
    assert large.halted, "another process has written this number"
    assert last.since(200)[0], "written alone"
