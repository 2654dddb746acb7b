"""What a run told its readers can be read again, whatever happens in the next moment."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from engine.log import EventLog, Follower
from engine.writer import Writer


class Disk:
    """A store that can be away, or be another process's."""

    def __init__(self) -> None:
        self.held: dict[int, str] = {}
        self.away = False
        self.open = threading.Event()
        self.open.set()

    def append(self, _run_id: str, first: int, payloads: list[str]) -> bool:
        self.open.wait(10)
        if self.away:
            raise OSError("away")
        if first in self.held:
            return False
        self.held |= dict(enumerate(payloads, first))
        return True


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
    disk, writer = Disk(), Writer()
    disk.away = True
    log = EventLog("run", disk.append)
    log.append("a")
    writer.mark(log)
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


def test_a_reader_is_woken_by_the_write() -> None:
    disk = Disk()
    log = EventLog("run", disk.append)

    async def read() -> list[tuple[int, str]]:
        follower = Follower()
        log.join(follower)
        log.append("a")
        assert not follower.event.is_set()
        await asyncio.to_thread(log.flush)
        async with asyncio.timeout(10):
            await follower.event.wait()
        return log.since(0)[0]

    assert asyncio.run(read()) == [(1, "a")]


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
    writing.join(10)
    ending.join(10)
    assert disk.held == {1: "a", 2: "end"}
    assert log.since(0) == ([(1, "a"), (2, "end")], True)
