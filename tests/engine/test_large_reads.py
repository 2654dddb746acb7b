"""Long answers and large events: told piece by piece, and no more of them in memory than a caller's share."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from engine import follow, runs, stream
from engine.events.log import Follower
from engine.events.wire import text
from engine.files import links
from engine.files.links import FileLinks
from engine.large_reads import LARGE, LargeReads
from engine.running import opening
from engine.watch import Watch
from store import db, events, sql
from store import runs as rows
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import review
from tests.engine.graphs import chat_document
from tests.waiting import until, until_async

WORD = "word " * 60_000


def finished(bench: Bench) -> rows.Run:
    """A chat's run that has ended."""
    run = bench.start(bench.app(chat_document()))
    bench.events(run)
    return run


def speak(run: rows.Run, count: int, replaced: int = 0) -> None:
    """Have the log of a finished run say the word so many times, as if the run had, and after so many that all is
    replaced by "so".
    """
    kept = [(seq, json.loads(one)) for seq, one in events.read(run.id, 0, 1000)]
    said = next(event for _, event in kept if event["event"] == "message")
    told = [event for _, event in kept if event["event"] != "message"]
    words: list[dict[str, Any]] = [{**said, "answer": WORD} for _ in range(count)]
    if replaced:
        head = {name: value for name, value in said.items() if name not in ("event", "id", "from_variable_selector")}
        words.insert(replaced, {"event": "message_replace", **head, "answer": "so", "reason": "forbidden"})
    write(run, [*told[:-2], *words, *told[-2:]])


def write(run: rows.Run, told: list[dict[str, Any]]) -> None:
    db.writes(sql.change)("DELETE FROM events WHERE run_id = ?", run.id)
    events.append(run.id, 1, [text(one) for one in told])


def test_a_long_answer_is_told_again_as_it_was_said_and_not_put_together(bench: Bench) -> None:
    run = finished(bench)
    speak(run, 5)
    told = bench.numbered(run, None)
    assert [event["event"] for _, event in told] == [*["message"] * 5, "message_end", "workflow_finished"]
    assert "".join(event["answer"] for _, event in told[:5]) == WORD * 5
    third = told[2][0]
    assert [seq for seq, _ in bench.numbered(run, third)] == [seq for seq, _ in told[3:]], "continued within it"


def test_of_a_long_answer_nothing_is_told_again_that_was_replaced(bench: Bench) -> None:
    run = finished(bench)
    speak(run, 5, replaced=3)
    told = [event for _, event in bench.numbered(run, None)]
    assert [event["event"] for event in told] == [
        "message_replace",
        "message",
        "message",
        "message_end",
        "workflow_finished",
    ]


def test_a_short_answer_is_told_again_as_one(bench: Bench) -> None:
    run = finished(bench)
    speak(run, 2)
    told = [event for _, event in bench.numbered(run, None)]
    assert [event["event"] for event in told] == ["message", "message_end", "workflow_finished"]
    assert told[0]["answer"] == WORD * 2


@pytest.mark.parametrize("length", [1, 65_535, 65_536, 65_537, 500_000])
def test_a_large_event_is_handed_on_piece_by_piece(length: int) -> None:
    batch = [(1, "a"), (2, "é" * length), (3, "b"), (4, "c"), (5, "d" * length)]
    pieces = list(stream.pieces(batch))
    assert b"".join(pieces) == b"".join(stream.frame(seq, text) for seq, text in batch)
    assert max(map(len, pieces)) <= 4 * 65_536


def large(bench: Bench) -> str:
    """The id of a run whose last event is a large one."""
    run = finished(bench)
    write(run, [{"event": "workflow_finished", "data": "x" * (LARGE + 1)}])
    return run.id


class Readers:
    """Readers of one large event each; who has it takes nothing more until told so."""

    def __init__(self, run_id: str, subjects: list[str], most: int) -> None:
        self.holding: set[int] = set()
        self.done: set[int] = set()
        self.pings = 0
        self.go = [asyncio.Event() for _ in subjects]
        self.machine: Any = SimpleNamespace(closed=False, live={}, watch=Watch(), large_reads=LargeReads(most))
        self.tasks = [asyncio.create_task(self._read(run_id, place, one)) for place, one in enumerate(subjects)]

    async def _read(self, run_id: str, place: int, subject: str) -> None:
        async for batch in follow.batches(self.machine, run_id, 0, 0.001, False, Follower(subject)):
            self.pings += not batch
            if batch:
                self.holding.add(place)
                try:
                    await self.go[place].wait()
                finally:
                    self.holding.discard(place)
                self.done.add(place)


def test_of_one_callers_readers_no_more_hold_a_large_event_than_may(bench: Bench) -> None:
    run_id = large(bench)

    async def told() -> None:
        readers = Readers(run_id, ["eve", "eve", "eve", "eve", "bob"], most=2)
        await until_async(lambda: len(readers.holding) == 3 and readers.pings > 20)
        assert 4 in readers.holding, "somebody else's is no part of it"
        first, second = sorted(readers.holding)[:2]
        readers.go[first].set()
        await until_async(lambda: first in readers.done and len(readers.holding) == 3)
        readers.tasks[second].cancel()
        with suppress(asyncio.CancelledError):
            await readers.tasks[second]
        await until_async(lambda: len(readers.holding) == 3)
        for one in readers.go:
            one.set()
        await until_async(lambda: len(readers.done) == 4)

    asyncio.run(told())


def test_without_a_bound_all_hold_it(bench: Bench) -> None:
    run_id = large(bench)

    async def told() -> None:
        readers = Readers(run_id, ["eve"] * 4, most=0)
        await until_async(lambda: len(readers.holding) == 4)
        for one in readers.go:
            one.set()
        await until_async(lambda: len(readers.done) == 4)

    asyncio.run(told())


def test_a_text_of_nothing_but_links_is_looked_at_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = FileLinks("s" * 32, "http://h", 3600)
    looked: list[str] = []
    monkeypatch.setattr(FileLinks, "_is_old", lambda _, file_id, sign: looked.append(sign))
    text = "http://h/files/01a22519-fd92-74c2-bf6d-2ce9b2b71f9a?sign=aa.bb " * (links.MOST + 500)
    assert not signer.has_old(text)
    assert len(looked) == links.MOST
    assert signer.renewed(text, lambda _: True) == text
    assert len(looked) == 2 * links.MOST


def test_for_many_links_to_one_file_it_is_asked_once_whether_it_may_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, asked = FileLinks("s" * 32, "http://h", 3600), list[str]()
    monkeypatch.setattr(FileLinks, "_is_old", lambda *_: True)
    file_id = str(uuid4())
    signer.renewed(f"http://h/files/{file_id}?sign=aa.bb " * 500, lambda one: bool(asked.append(one)))
    assert asked == [file_id]


def test_a_run_remembers_no_more_turns_than_fit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_REMEMBERED", 1000)
    app = bench.app(chat_document(memory={"window": {"enabled": True, "size": 50}}))
    first = bench.start(app, query="first " + "x" * 2000)
    bench.events(first)
    second = bench.start(app, query="second", conversation_id=first.conversation_id)
    bench.events(second)
    third = bench.start(app, query="third", conversation_id=first.conversation_id)
    bench.events(third)
    context = opening.reopened(bench.stored(third), runs.machine().place.sealer)
    assert context is not None
    known = opening.with_conversation(context, runs.machine().place.sealer)
    assert [turn.query for turn in known.history] == ["second"]
    assert known.dialogue_count == 3


def test_a_reader_that_is_behind_reads_the_rest_of_a_finished_run_from_the_store(bench: Bench) -> None:
    run = bench.start(bench.app(chat_document(chunks=9_000)))
    left: list[bool] = []

    async def told() -> list[int]:
        seen: list[int] = []
        log: Any = None
        async for batch in runs.batches(run.id, after=0):
            seen += [seq for seq, _ in batch]
            if log is None:
                log = runs.machine().live[run.id].log
                await until_async(lambda log=log: log.finished)  # type: ignore[misc]
            left.append(not log._followers)
        return seen

    seen = asyncio.run(told())
    assert seen == list(range(1, events.last_seq(run.id) + 1))
    assert left.count(False) <= 2, "it took one batch more from memory at most"
    assert left.count(True) > 2


def _begins(payload: str, node: str) -> bool:
    told = json.loads(payload)
    return told["event"] == "node_started" and told["data"]["node_id"] == node


def test_what_one_callers_runs_hold_together_is_bounded_and_given_back(configure: Any, bench: Bench) -> None:
    configure(max_run_bytes_per_subject=100_000)
    app = bench.app(chat_document(chunks=40, delay_ms=600_000))
    mine = bench.start(app, query="x" * 30_000)
    memory, subject = runs.machine().run_memory, bench.caller.subject
    # From there on the model is waited for: it is the other run that comes to hold more.
    until(lambda: any(_begins(payload, "llm") for _, payload in events.read(mine.id, 0, 10)))
    assert memory.of(subject) > 30_000
    second = bench.start(app, query="x" * 60_000)
    told = bench.events(second)[-1]
    assert told["data"]["status"] == "failed"
    assert "your runs at work hold more than 100000 characters together" in told["data"]["error"]
    assert not bench.stored(mine).is_over
    runs.stop(bench.stored(mine))
    assert memory.of(subject) == 0
    assert (
        bench.events(bench.start(bench.app(chat_document()), query="x" * 10_000))[-1]["data"]["status"] == "succeeded"
    )
    assert memory.of(subject) == 0


def test_no_more_runs_of_one_caller_wait_for_people_than_may(configure: Any, bench: Bench) -> None:
    configure(max_paused_runs_per_subject=2, secret_key="k")
    app = bench.app(review())
    first = bench.start(app)
    bench.events(first)
    bench.events(bench.start(app))
    with pytest.raises(Refusal) as refused:
        bench.start(app)
    assert (refused.value.code, refused.value.status) == ("too_many_requests", 429)
    assert "2 runs that wait for people" in refused.value.message
    runs.stop(bench.stored(first))
    bench.events(bench.start(app))
