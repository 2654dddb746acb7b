"""A server that dies, or is told to end, at each moment of a run: the next one goes on, or says how it ended."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.conftest import MakeSite
from tests.recovery.kills import Reader, cut_down
from tests.recovery.site import Site
from tests.recovery.stories import branches, check_whole, story, text_of

# Each starts servers again and again; on a busy machine a start takes its time.
pytestmark = pytest.mark.timeout(900)

QUESTION: dict[str, Any] = {"inputs": {}, "query": "go"}
WORK: dict[str, Any] = {"inputs": {}}
STORIES = {
    "a chat": (story("advanced-chat"), QUESTION, "w0 w1 w2 w3 /a-b-c"),
    "a workflow": (story("workflow"), WORK, "w0 w1 w2 w3 \na-b-c"),
    "branches": (branches(), WORK, "w0 w1 w2 w3 w4 |w0 w1 w2 w3 w4 w5 w6 w7 w8 "),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
ROUNDS = 2


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", STORIES)
def test_runs_at_every_event_outlive_their_server(site: MakeSite, name: str, number: signal.Signals) -> None:
    definition, body, text = STORIES[name]
    made = site(DIFYSPEC_CHECKPOINT_SECONDS="0.01", DIFYSPEC_MAX_CONCURRENT_RUNS="8")
    app_id, server = made.add(definition), made.server()
    server.start()
    whole = made.head(server, app_id, body, 1000)
    check_whole(whole)
    assert text_of(whole) == text
    for _ in range(ROUNDS):
        for events in cut_down(made, server, app_id, body, number, len(whole) - 4):
            if events[-1].data["data"]["status"] == "succeeded":
                assert text_of(events) == text


def test_each_single_event_may_be_the_last_that_a_client_has_seen(tmp_path: Path) -> None:
    made = Site(tmp_path, f"sqlite:///{tmp_path / 'site.db'}", DIFYSPEC_CHECKPOINT_SECONDS="0.01")
    app_id, server = made.add(story("advanced-chat")), made.server()
    server.start()
    try:
        total = len(made.head(server, app_id, QUESTION, 1000))
        for count in range(1, total):
            reader = Reader(made, server, app_id, QUESTION)
            reader.wait_for(count)
            server.end()
            told = reader.join()
            server.start()
            seen = told[:count]
            whole = made.whole(server, app_id, seen)
            check_whole(whole)
            assert whole[: len(told)] == told, "what the lost server had shown"
    finally:
        made.close()


@pytest.mark.parametrize("number", SIGNALS)
def test_runs_that_wait_for_a_thread_are_begun_by_the_next_server(site: MakeSite, number: signal.Signals) -> None:
    made = site(DIFYSPEC_MAX_CONCURRENT_RUNS="1")
    app_id, server = made.add(story("advanced-chat")), made.server()
    server.start()
    readers = [Reader(made, server, app_id, QUESTION | {"query": f"number {n}"}) for n in range(4)]
    busy = made.wait_for(lambda: next((one for one in readers if len(one.events) > 5), None))
    waiting = [run for run in made.at_work(app_id) if run.status == "queued"]
    assert len(waiting) == 3
    server.end(number)
    server.start()
    for run in waiting:
        events = made.attach(server, app_id, run.task_id, "0")
        check_whole(events)
        assert events[-1].data["data"]["status"] == "succeeded"
        assert events[0].data["data"]["inputs"]["sys.query"] == run.query
        assert [e.data["event"] for e in events].count("workflow_started") == 1
    for reader in readers:
        assert reader is busy or reader.join() == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_question_that_waits_for_the_one_before_it_is_answered_after_it(
    site: MakeSite, number: signal.Signals
) -> None:
    made = site(DIFYSPEC_CHECKPOINT_SECONDS="0.01")
    # Slow enough to be at work still when the second question is asked of a busy machine.
    app_id, server = made.add(story("advanced-chat", delay_ms=200)), made.server()
    server.start()
    opened = made.head(server, app_id, QUESTION, 1000)
    go_on = QUESTION | {"conversation_id": opened[0].data["conversation_id"]}
    first = Reader(made, server, app_id, go_on)
    first.wait_for(10)
    second = Reader(made, server, app_id, go_on)
    (queued,) = made.wait_for(lambda: [run for run in made.at_work(app_id) if run.status == "queued"])
    server.end(number)
    assert second.join() == []
    server.start()
    whole = made.whole(server, app_id, first.join())
    after = made.attach(server, app_id, queued.task_id, "0")
    for events, turn in ((whole, 2), (after, 3)):
        check_whole(events)
        assert events[-1].data["data"]["status"] == "succeeded"
        assert events[0].data["data"]["inputs"]["sys.dialogue_count"] == turn


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
def test_an_answer_without_checkpoints_is_given_again_by_the_next_server(
    site: MakeSite, mode: str, number: signal.Signals
) -> None:
    from tests.engine.test_easy_modes import easy

    made = site(DIFYSPEC_RELEASE_SECONDS="0.2")
    app_id, server = made.add(easy(mode, parameters={"delay_ms": 20, "chunks": 100})), made.server()
    server.start()
    reader = Reader(made, server, app_id, QUESTION)
    reader.wait_for(5)
    server.end(number)
    head = reader.join()
    server.start()
    whole = made.whole(server, app_id, head)
    assert [int(event.id) for event in whole] == list(range(1, len(whole) + 1))
    assert whole[-1].data["event"] == "message_end"
    assert text_of(whole) == "".join(f"w{n} " for n in range(100))
