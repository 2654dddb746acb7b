"""Two servers on one database: what is asked of one holds for the runs of the other."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from store import leases
from tests.engine.forms import review
from tests.engine.graphs import chain_document, chat_document, code, document, edge, end, llm, node
from tests.journeys.events import Event
from tests.recovery.conftest import MakeSite
from tests.recovery.kills import Reader
from tests.recovery.site import Server, Site, database
from tests.recovery.stories import check_whole, story, text_of

pytestmark = pytest.mark.timeout(300)

QUESTION: dict[str, Any] = {"inputs": {}, "query": "go"}
WORK: dict[str, Any] = {"inputs": {}}
Pair = tuple[Site, Server, Server]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two started servers on one database; each carries out four runs at a time."""
    folder = tmp_path_factory.mktemp("pair")
    with database(request.param, folder) as url:
        site = Site(folder, url, DIFYSPEC_MAX_CONCURRENT_RUNS="4")
        one = site.server()
        other = site.server(DIFYSPEC_PUBLIC_URL=one.base)
        one.start()
        other.start()
        yield site, one, other
        site.close()


def looping() -> dict[str, Any]:
    """A loop of many rounds, which takes minutes."""
    again = node(
        "again", "loop", start_node_id="s", loop_count=100, break_conditions=[], loop_variables=[],
        logical_operator="and",
    )  # fmt: skip
    inside = llm("t", "x", delay_ms=2000, chunks=1)
    inside |= {"parentId": "again"}
    inside["data"] |= {"loop_id": "again", "isInLoop": True}
    nodes = [node("start", "start", variables=[]), again, inside, end()]
    nodes.append(node("s", "loop-start", "again", loop_id="again", isInLoop=True))
    return document(nodes, [edge("start", "again"), edge("s", "t"), edge("again", "end")])


BUSY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a model's answer": (chat_document(delay_ms=50, chunks=2000), QUESTION),
    "a model that says nothing": (chat_document(delay_ms=60000, chunks=1), QUESTION),
    "a loop": (looping(), WORK),
    "code": (chain_document(code("c", "def main():\n    while True: pass", result="string"), "result"), WORK),
}


def stop(site: Site, server: Server, app_id: str, task_id: str) -> None:
    url = f"{server.api}/apps/{app_id}/tasks/{task_id}/stop"
    assert httpx.post(url, headers=site.ada.headers).json() == {"result": "success"}


def check_stopped(events: list[Event]) -> None:
    result = events[-1].data["data"]
    assert (result["status"], result["error"]) == ("stopped", "Stopped by user.")
    assert [int(event.id) for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("phase", BUSY)
def test_a_stop_sent_to_the_other_server_ends_a_run_in(pair: Pair, phase: str) -> None:
    site, one, other = pair
    definition, body = BUSY[phase]
    app_id = site.add(definition)
    reader = Reader(site, one, app_id, body)
    reader.wait_for(4)
    stop(site, other, app_id, reader.events[0].data["task_id"])
    check_stopped(reader.join())
    assert site.attach(other, app_id, reader.events[0].data["task_id"], "0") == reader.events


def test_a_stop_sent_to_the_other_server_ends_a_run_that_waits_for_its_turn(pair: Pair) -> None:
    site, one, other = pair
    app_id = site.add(BUSY["a model's answer"][0])
    busy = [Reader(site, one, app_id, QUESTION) for _ in range(4)]
    for reader in busy:
        reader.wait_for(1)
    queued = Reader(site, one, app_id, QUESTION)
    (row,) = site.wait_for(lambda: [run for run in site.at_work(app_id) if run.status == "queued"])
    stop(site, other, app_id, row.task_id)
    events = queued.join()
    check_stopped(events)
    assert [e.data["event"] for e in events] == ["workflow_started", "message_end", "workflow_finished"]
    for reader in busy:
        stop(site, other, app_id, reader.events[0].data["task_id"])
    for reader in busy:
        check_stopped(reader.join())


def test_a_stop_sent_to_the_other_server_ends_a_run_that_waits_for_a_person(pair: Pair) -> None:
    site, one, other = pair
    app_id = site.add(review())
    head = Reader(site, one, app_id, WORK).join()
    assert head[-1].data["event"] == "workflow_paused"
    task = head[0].data["task_id"]
    stop(site, other, app_id, task)
    tail = site.attach(one, app_id, task, head[-1].id)
    check_stopped(head + tail)


def test_a_form_that_one_server_asks_is_answered_at_the_other(pair: Pair) -> None:
    site, one, other = pair
    app_id = site.add(review())
    head = Reader(site, one, app_id, WORK).join()
    (asked,) = [e.data["data"] for e in head if e.data["event"] == "human_input_required"]
    form = f"{other.api}/apps/{app_id}/form/human_input/{asked['form_token']}"
    answer = {"inputs": {"comment": "well said"}, "action": "approve"}
    assert httpx.post(form, headers=site.ada.headers, json=answer).status_code == 200
    task = head[0].data["task_id"]
    tail = site.attach(one, app_id, task, head[-1].id, continue_on_pause="true")
    assert tail[-1].data["data"]["outputs"]["comment"] == "well said"
    assert site.attach(other, app_id, task, "0", continue_on_pause="true") == head + tail
    assert [int(event.id) for event in head + tail] == list(range(1, len(head + tail) + 1))


def test_a_stream_at_one_server_follows_a_run_of_the_other(pair: Pair) -> None:
    site, one, other = pair
    app_id = site.add(story("advanced-chat"))
    reader = Reader(site, one, app_id, QUESTION)
    reader.wait_for(2)
    followed = site.attach(other, app_id, reader.events[0].data["task_id"], reader.events[1].id)
    whole = reader.join()
    assert whole[:2] + followed == whole
    check_whole(whole)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_other_server_takes_over_the_runs_of_one_that_ends(site: MakeSite, number: signal.Signals) -> None:
    made = site(DIFYSPEC_CHECKPOINT_SECONDS="0.01")
    one, other = made.server(), made.server()
    one.start()
    other.start()
    app_id = made.add(story("advanced-chat"))
    reader = Reader(made, one, app_id, QUESTION)
    reader.wait_for(12)
    one.end(number)
    head = reader.join()
    whole = made.whole(other, app_id, head)
    check_whole(whole)
    assert (whole[-1].data["data"]["status"], text_of(whole)) == ("succeeded", "w0 w1 w2 w3 /a-b-c")


def test_a_server_that_falls_silent_loses_its_run_and_tells_nothing_of_it_when_it_wakes(site: MakeSite) -> None:
    made = site(DIFYSPEC_CHECKPOINT_SECONDS="0.01", DIFYSPEC_LEASE_SECONDS="2")
    one, other = made.server(), made.server()
    one.start()
    other.start()
    app_id = made.add(story("advanced-chat"))
    reader = Reader(made, one, app_id, QUESTION)
    reader.wait_for(12)
    one.send(signal.SIGSTOP)
    task = reader.events[0].data["task_id"]
    seen = reader.events[11].id
    tail = made.attach(other, app_id, task, seen)
    one.send(signal.SIGCONT)
    head = reader.join()
    whole = reader.events[:12] + tail
    check_whole(whole)
    assert (whole[-1].data["data"]["status"], text_of(whole)) == ("succeeded", "w0 w1 w2 w3 /a-b-c")
    assert head == whole[: len(head)], "the first server told nothing that is not in the log"
    for server in (one, other):
        assert made.attach(server, app_id, task, "0") == whole


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_carry_out_what_a_server_takes_and_each_others_runs(site: MakeSite, number: signal.Signals) -> None:
    made = site(DIFYSPEC_CHECKPOINT_SECONDS="0.01")
    server, one, other = made.server(DIFYSPEC_MAX_CONCURRENT_RUNS="0"), made.server(), made.server()
    server.start()
    one.begin("worker")
    app_id = made.add(story("advanced-chat"))
    reader = Reader(made, server, app_id, QUESTION)
    reader.wait_for(12)
    other.begin("worker")
    one.end(number)
    whole = reader.join()
    check_whole(whole)
    assert (whole[-1].data["data"]["status"], text_of(whole)) == ("succeeded", "w0 w1 w2 w3 /a-b-c")
    other.end(signal.SIGTERM)
    assert other.process is not None
    assert other.process.returncode == 0


def test_a_server_that_ends_hands_over_also_the_runs_that_nobody_watches(site: MakeSite) -> None:
    made = site(DIFYSPEC_RELEASE_SECONDS="0.5", DIFYSPEC_LEASE_SECONDS="3600")
    server = made.server()
    server.start()
    app_id = made.add(chat_document(delay_ms=50, chunks=100))
    made.head(server, app_id, QUESTION, 5)
    server.end(signal.SIGTERM)
    with made.open():
        assert leases.workers() == {""}
    assert "Traceback" not in server.log.read_text()
