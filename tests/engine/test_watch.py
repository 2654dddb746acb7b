"""Readers of runs that this process does not execute, and what they may lose: asked about for all of them together."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from pony.orm import OperationalError

from engine import follow, runs, stream
from engine import watch as watching
from engine.events.log import EventLog, Follower
from engine.forms import answering
from engine.running import letting_go, unattended
from engine.watch import Watch
from store import access, events, progress, sql
from store import runs as rows
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import review
from tests.engine.graphs import chat_document
from tests.waiting import HANG, until, until_async, whole


class Reader(Follower):
    """``waits`` while it has seen all there is and nobody has woken it."""

    waiting = False

    async def news(self, seconds: float) -> bool:
        self.waiting = True
        try:
            return await super().news(seconds)
        finally:
            self.waiting = False

    @property
    def waits(self) -> bool:
        return self.waiting and not self.notified


class Readers:
    """Readers of one run, with a watch whose ticks are handed in; ``asked`` are the statements made."""

    def __init__(self, run_id: str, count: int, asked: list[str]) -> None:
        self.run_id, self.watch, self.asked = run_id, Watch(), asked
        self.machine: Any = SimpleNamespace(closed=False, live={}, watch=self.watch)
        self.told: list[list[int]] = [[] for _ in range(count)]
        self.followers = [Reader() for _ in range(count)]
        self.tasks = [asyncio.create_task(self._read(place)) for place in range(count)]

    async def _read(self, place: int) -> None:
        source = follow.batches(self.machine, self.run_id, 0, 3600, True, self.followers[place])
        async for batch in source:
            self.told[place] += [seq for seq, _ in batch]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until this is so."""
        await until_async(condition)

    async def rest(self) -> None:
        """Wait until all of them wait."""
        await self.until(lambda: all(one.waits for one in self.followers))

    async def tick(self) -> int:
        """A tick, and what follows from it; how many statements that took."""
        before = len(self.asked)
        await asyncio.to_thread(self.watch.look_at_runs)
        await self.rest()
        return len(self.asked) - before

    async def leave(self) -> None:
        """All leave."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.followers = []
        assert not self.watch._runs


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each SELECT that is made from here on."""
    seen: list[str] = []
    for name in ("row", "rows"):

        def select(statement: str, *values: object, real: Any = getattr(sql, name)) -> Any:
            seen.append(statement)
            return real(statement, *values)

        monkeypatch.setattr(sql, name, select)
    return seen


@pytest.fixture
def waiting(bench: Bench) -> rows.Run:
    """A run that nobody executes, without any event yet."""
    runs.shutdown()  # nobody else asks the store anything
    app = bench.app(chat_document())
    return rows.create(app_id=app.id, version_id=app.published_id, caller=bench.caller, inputs={}, mode=app.mode)


def append(run: rows.Run, first: int, *texts: str) -> None:
    """Store events as another process does."""
    events.append(run.id, first, [json.dumps({"event": "text_chunk", "text": text}) for text in texts])


def test_a_reader_that_nobody_wakes_is_told_so_and_asks_nothing(waiting: rows.Run, asked: list[str]) -> None:
    async def story() -> None:
        readers = Readers(waiting.id, 0, asked)
        quiet = follow.batches(readers.machine, waiting.id, 0, 0, True, Follower())
        async for batch in quiet:
            assert batch == []
            break
        asked.clear()
        for _ in range(3):
            assert await anext(quiet) == []
        assert asked == []
        await quiet.aclose()

    asyncio.run(story())


@pytest.mark.parametrize("count", [1, 300])
def test_however_many_readers_wait_for_a_run_there_is_one_question_a_tick(
    waiting: rows.Run, asked: list[str], count: int
) -> None:
    async def story() -> None:
        readers = Readers(waiting.id, count, asked)
        await readers.rest()
        await readers.tick()
        assert [await readers.tick() for _ in range(3)] == [1, 1, 1]
        append(waiting, 1, "a", "b")
        assert await readers.tick() == 1 + 3 + 2, "what there is, and that there is no more, is read once for all"
        assert readers.told == [[1, 2]] * count
        await readers.leave()
        assert await readers.tick() == 0, "no reader, no question"

    asyncio.run(story())


def test_however_many_readers_wait_for_a_run_one_call_into_their_loop_wakes_them(waiting: rows.Run) -> None:
    """One for each would let the first find what there is before the next one asks."""

    async def story() -> None:
        loop, watch, readers = asyncio.get_running_loop(), Watch(), [Follower() for _ in range(300)]
        calls: list[object] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "call_soon_threadsafe", lambda *call: calls.append(loop.call_soon(*call)))
            for one in readers:
                watch.join(waiting.id, one)
            watch.touch(waiting.id)
            watch.wake_all()
        assert len(calls) == 1
        assert all([await one.news(HANG) for one in readers])

    asyncio.run(story())


def test_a_tick_asks_about_many_runs_in_few_statements(bench: Bench, asked: list[str]) -> None:
    runs.shutdown()
    app = bench.app(chat_document())
    made = [
        rows.create(app_id=app.id, version_id=app.published_id, caller=bench.caller, inputs={}, mode=app.mode)
        for _ in range(progress.AT_ONCE + 1)
    ]
    append(made[7], 1, "a")
    asked.clear()
    found = progress.of([run.id for run in made])
    assert len(asked) == 2
    assert (found[made[7].id], found[made[8].id]) == (("queued", 1), ("queued", 0))


def test_a_reader_does_not_share_a_look_that_began_before_it_was_woken(
    waiting: rows.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reader's look found nothing and is slow to say so; meanwhile an event is stored."""

    async def story() -> None:
        watch, loop = Watch(), asyncio.get_running_loop()
        first, looked = asyncio.Event(), asyncio.Event()
        real = progress.page

        def slow(*asked: Any) -> progress.Page:
            found = real(*asked)
            loop.call_soon_threadsafe(looked.set)
            asyncio.run_coroutine_threadsafe(first.wait(), loop).result()
            return found

        watch.join(waiting.id, Follower())
        await asyncio.to_thread(watch.look_at_runs)
        monkeypatch.setattr(progress, "page", slow)
        early = asyncio.create_task(watch.read(waiting.id, 0))
        await looked.wait()
        monkeypatch.setattr(progress, "page", real)
        append(waiting, 1, "a")
        await asyncio.to_thread(watch.look_at_runs)
        assert [seq for seq, _ in (await watch.read(waiting.id, 0)).events] == [1]
        first.set()
        assert (await early).events == []

    asyncio.run(story())


def test_readers_look_again_when_the_store_is_back(
    waiting: rows.Run, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        readers = Readers(waiting.id, 2, asked)
        await readers.rest()
        await readers.tick()
        assert await readers.tick() == 1
        with monkeypatch.context() as patch:
            patch.setattr(progress, "of", away)
            with pytest.raises(Refusal):
                await readers.tick()
        assert await readers.tick() > 1, "what happened meanwhile nobody knows"
        await readers.leave()

    asyncio.run(story())


def test_a_reader_that_finds_the_store_away_is_woken_when_it_is_back(
    waiting: rows.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if no tick met the trouble, and nothing has changed since the tick before it."""

    async def story() -> None:
        append(waiting, 1, "a")
        first = Follower()
        readers = Readers(waiting.id, 0, [])
        readers.watch.join(waiting.id, first)
        await readers.tick()
        with monkeypatch.context() as patch:
            patch.setattr(progress, "page", away)
            readers.told, readers.followers = [[]], [Reader()]
            readers.tasks = [asyncio.create_task(readers._read(0))]
            await readers.rest()
        assert readers.told == [[]]
        await readers.tick()
        assert readers.told == [[1]]
        readers.watch.leave(waiting.id, first)
        await readers.leave()

    asyncio.run(story())


AWAY = {
    "every look": lambda _: True,
    "the looks for what is new": lambda statement: "MAX(e.seq)" in statement,
    "the looks for events": lambda statement: "MAX(e.seq)" not in statement,
}


@pytest.mark.parametrize("what", AWAY)
def test_a_reader_of_a_run_elsewhere_outlasts_a_store_that_is_away(
    waiting: rows.Run, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What happens meanwhile, the run's end too, it is told when the store is back."""
    configure(max_concurrent_runs=0)
    here, is_away, failed, told = threading.get_ident(), threading.Event(), list[str](), list[str]()
    for name in ("row", "rows"):

        def select(statement: str, *values: object, real: Any = getattr(sql, name)) -> Any:
            if is_away.is_set() and threading.get_ident() != here and AWAY[what](statement):
                failed.append(statement)
                problem = sqlite3.OperationalError("disk I/O error")
                problem.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise OperationalError(problem)
            return real(statement, *values)

        monkeypatch.setattr(sql, name, select)

    async def read() -> None:
        async for _, text in runs.follow(waiting.id):
            told.append(json.loads(text)["event"])

    reading = ThreadPoolExecutor(1).submit(lambda: asyncio.run(read()))
    append(waiting, 1, "a")
    until(lambda: len(told) == 1, "the first event")
    for step in (2, 3):
        is_away.set()
        failed.clear()
        if step == 2:
            append(waiting, 2, "b")
        else:
            row = rows.for_worker(waiting.id)
            assert row
            assert unattended.end(row, "stopped", "Stopped by user.")
        until(lambda: len(failed) >= 3 or reading.done(), "looks that failed")
        is_away.clear()
        until(lambda step=step: len(told) >= step or reading.done(), "what happened meanwhile")
    reading.result(HANG)
    assert told == ["text_chunk", "text_chunk", "message_end", "workflow_finished"]


def away(*_: Any) -> Any:
    raise Refusal("service_unavailable")


def test_what_a_reader_is_given_at_a_time_is_bounded_by_its_size(waiting: rows.Run) -> None:
    append(waiting, 1, *("x" * 10_000 for _ in range(9)), "y" * 90_000, *("z" for _ in range(600)))
    sizes, after = [], 0
    while found := progress.page(waiting.id, after, 64 * 1024).events:
        sizes.append(len(found))
        after = found[-1][0]
        assert len(found) == 1 or sum(len(text) for _, text in found) <= 64 * 1024
    assert (sizes, after) == ([6, 3, 1, 500, 100], 610)


def test_a_reader_is_given_no_more_at_a_time_than_it_can_take(waiting: rows.Run) -> None:
    append(waiting, 1, *("x" * 10_000 for _ in range(30)))
    page = asyncio.run(Watch().read(waiting.id, 0))
    assert sum(len(text) for _, text in page.events) <= 128 * 1024


def test_access_is_looked_at_again_and_again_and_at_least_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watching._TICK_SECONDS * watching._TICKS_TO_ACCESS <= 1
    monkeypatch.setattr(watching, "_TICK_SECONDS", 0.001)
    looked: list[str] = []
    watch = Watch()
    monkeypatch.setattr(watch, "look_at_access", lambda: looked.append("access"))
    monkeypatch.setattr(watch, "look_at_runs", lambda: looked.append("runs"))
    watch.begin()
    try:
        until(lambda: looked.count("access") >= 3)
        assert looked.count("runs") >= 2 * looked.count("access")
    finally:
        watch.close()


def test_a_reader_who_lost_access_while_the_store_is_away_is_not_kept() -> None:
    async def story() -> None:
        async def away(*_: object) -> None:
            reader.lost = Refusal("not_found")
            raise Refusal("service_unavailable")

        reader = Reader()
        machine: Any = SimpleNamespace(watch=SimpleNamespace(read=away))
        log = EventLog("run", lambda *_: True, base=5)
        assert not any([batch async for batch in follow._live(machine, log, 0, 3600, reader)])

    asyncio.run(whole(story()))


def test_what_was_read_before_access_was_lost_is_not_told_afterwards(
    waiting: rows.Run, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure()

    async def batches(_run_id: str, reader: Follower, **_: Any) -> Any:
        yield [(1, '{"event":"first"}')]
        reader.lost = Refusal("not_found")
        yield [(2, '{"event":"second"}')]

    async def story() -> str:
        return b"".join([piece async for piece in stream.frames(waiting)]).decode()

    monkeypatch.setattr(runs, "batches", batches)
    told = asyncio.run(story())
    assert "first" in told
    assert "second" not in told
    assert '"code":"not_found"' in told.rpartition("data: ")[2]


@pytest.mark.parametrize("change", ["its form is answered", "it is stopped"])
def test_a_run_that_this_process_changes_wakes_its_readers_without_a_tick(
    bench: Bench, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(Watch, "look_at_runs", lambda _: None)
    configure(ping_seconds=3600)
    run = bench.start(bench.app(review()))
    asked = bench.events(run)
    token = next(one["data"]["form_token"] for one in asked if one["event"] == "human_input_required")

    async def story() -> list[str]:
        told, reader = [], Reader()

        async def read() -> None:
            async for batch in runs.batches(run.id, reader, after=len(asked), through_pauses=True):
                told.extend(json.loads(text)["event"] for _, text in batch)

        async with asyncio.timeout(60):
            reading = asyncio.create_task(read())
            await until_async(lambda: reader.waits)
            if change == "it is stopped":
                await asyncio.to_thread(runs.stop, bench.stored(run))
            else:
                answer = {"action": "approve", "inputs": {"comment": "fine"}}
                await asyncio.to_thread(answering.submit, token, answer, by="test")
            await reading
        return told

    assert asyncio.run(story())[-1] == "workflow_finished"


# What readers may lose


def test_one_question_a_tick_tells_for_all_readers_whether_they_may_still_read(bench: Bench, asked: list[str]) -> None:
    runs.shutdown()
    app = bench.app(chat_document())

    async def story() -> None:
        watch, held = Watch(), access.of(bench.caller, app.id)
        readers = [Follower() for _ in range(500)]
        for one in readers:
            watch.admit(held, one)
        watch.look_at_access()  # the first look is a whole one
        asked.clear()
        watch.look_at_access()
        assert len(asked) == 1
        for one in readers:
            watch.dismiss(held, one)
        watch.look_at_access()
        assert len(asked) == 1, "no reader, no question"
        assert not watch._marks
        assert not watch._admitted

    asyncio.run(story())


def test_a_look_that_fails_takes_nothing_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.shutdown()
    app = bench.app(chat_document())

    async def story() -> None:
        watch, reader = Watch(), Follower()
        watch.admit(access.of(bench.caller, app.id), reader)
        monkeypatch.setattr(access, "marks", away)
        with suppress(Refusal):
            watch.look_at_access()
        assert reader.lost is None

    asyncio.run(story())


def test_readers_of_a_run_that_waits_leave_at_once_when_the_server_stops(
    bench: Bench, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when all the runs that work are let go of, which takes its time."""
    monkeypatch.setattr(Watch, "close", lambda _: None)
    configure(ping_seconds=3600)
    run = bench.start(bench.app(review()))
    asked = bench.events(run)

    async def story() -> None:
        reader = Reader()

        async def read() -> None:
            async for _ in runs.batches(run.id, reader, after=len(asked), through_pauses=True):
                pass

        reading = asyncio.create_task(read())
        await until_async(lambda: reader.waits)
        with monkeypatch.context() as patch:
            patch.setattr(letting_go, "let_go", lambda _: None)
            runs.shutdown()
        await whole(reading)

    asyncio.run(story())
