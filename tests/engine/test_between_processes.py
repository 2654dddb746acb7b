"""What one process asks of a run, or does to it, counts for the process that has it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pony.orm import db_session

from engine import runs
from engine.forms.links import FormLinks
from engine.running import opening, recovery, resealing, saved, taking_up, unattended
from engine.running.sealing import Sealer
from store import checkpoints, conversations, leases, sql
from store import events as stored
from store import runs as rows
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import answer, review, token_of
from tests.engine.graphs import chain_document, chat_document, document, edge, end, llm, node
from tests.engine.test_easy_modes import easy
from tests.engine.test_stop import fetching
from tests.engine.web_server import listening
from tests.judge import wrong_with

ENDLESS = {"delay_ms": 50, "chunks": 100_000}


def test_a_run_that_another_process_was_asked_to_stop_is_stopped(bench: Bench, soon: Callable[..., Any]) -> None:
    run = bench.start(bench.app(chat_document(**ENDLESS)))
    soon(lambda: stored.last_seq(run.id) >= 4)
    assert rows.request_stop(run.id), "all that the other process can do"
    soon(lambda: bench.stored(run).is_over)
    assert bench.events(run)[-1]["data"]["error"] == "Stopped by user."


def test_a_run_that_waits_for_a_thread_is_stopped_when_another_process_was_asked_to(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=1)
    answered = bench.start(bench.app(review()))
    token = token_of(bench.events(answered))
    app = bench.app(chat_document(**ENDLESS))
    at_work = bench.start(app)
    soon(lambda: stored.last_seq(at_work.id) >= 4)
    asked = bench.start(app)
    answer(token, comment="fine")
    for run in (asked, answered):
        rows.request_stop(run.id)
        soon(lambda run=run: bench.stored(run).is_over)
        assert bench.events(run)[-1]["data"]["error"] == "Stopped by user."
    assert bench.stored(at_work).status == "running"
    runs.stop(at_work)


def test_a_run_that_another_worker_has_taken_meanwhile_is_not_told_to_go_on_from_its_checkpoint(
    bench: Bench, configure: Callable[..., None]
) -> None:
    configure(secret_key="k")
    run = bench.start(bench.app(review()))
    token = token_of(bench.events(run))
    configure(secret_key="k", max_concurrent_runs=0)
    answer(token, comment="fine")
    point = checkpoints.get(run.id)
    mine = leases.take(bench.stored(run), "one", 60)
    assert point
    assert mine
    assert leases.take(mine, "another", 60)
    memory = saved.load(runs.machine().place.sealer.unseal(point.sealed))
    before = stored.last_seq(run.id)
    assert recovery.reset_to(mine, point, memory) is None
    assert stored.last_seq(run.id) == before
    theirs = bench.stored(run)
    assert theirs.worker == "another"
    assert recovery.reset_to(theirs, point, memory) == stored.last_seq(run.id) > before


def test_a_run_that_waited_while_the_key_was_changed_goes_on_by_the_link_of_the_new_key(
    bench: Bench, configure: Callable[..., None]
) -> None:
    configure(secret_key="old")
    run = bench.start(bench.app(review()))
    old = token_of(bench.events(run))
    resealing.rotate(Sealer("new", ["old"]), FormLinks("new", ""), lambda *_: None)
    configure(secret_key="new")
    new = token_of(bench.events(run))
    with pytest.raises(Refusal) as refused:
        answer(old, comment="fine")
    assert refused.value.code == "not_found"
    answer(new, comment="fine")
    last = bench.events(run)[-1]["data"]
    assert (last["status"], last["outputs"]["comment"]) == ("succeeded", "fine")


FLOW_END = {"event": "workflow_finished", "data": {
    "status": "succeeded", "outputs": {"answer": "yes"}, "error": None, "elapsed_time": 1.5,
    "total_tokens": 7, "total_steps": 3, "exceptions_count": 1,
}}  # fmt: skip


@pytest.mark.parametrize(
    ("definition", "last", "status", "error"),
    [
        (chat_document(), FLOW_END, "succeeded", None),
        (easy("chat"), {"event": "message_end"}, "succeeded", None),
        (easy("chat"), {"event": "error", "message": "Too hot."}, "failed", "Too hot."),
    ],
)
def test_a_run_whose_process_died_after_its_last_event_has_ended_as_that_says(
    bench: Bench,
    configure: Callable[..., None],
    definition: dict[str, Any],
    last: dict[str, Any],
    status: str,
    error: str | None,
) -> None:
    configure(max_concurrent_runs=0)
    run = bench.start(bench.app(definition), query="go")
    told = [json.dumps(event) for event in ({"event": "message", "answer": "yes"}, last)]
    stored.append(run.id, 1, told)
    assert rows.begin(run.id)
    assert unattended.end(bench.stored(run), "failed", recovery.LOST)
    ended = bench.stored(run)
    assert (ended.status, ended.error) == (status, error)
    assert [text for _, text in stored.read(run.id, 0, 10)] == told
    if last is FLOW_END:
        figures = (ended.outputs, ended.elapsed, ended.total_tokens, ended.total_steps, ended.exceptions_count)
        assert figures == ({"answer": "yes"}, 1.5, 7, 3, 1)


ENDINGS = [
    (chat_document(), "stopped", "Stopped by user.", ["message_end", "workflow_finished"]),
    (chat_document(), "failed", recovery.LOST, ["message_end", "workflow_finished"]),
    (easy("chat"), "stopped", "Stopped by user.", ["message_end"]),
    (easy("chat"), "failed", recovery.LOST, ["error"]),
]


@pytest.mark.parametrize(("definition", "status", "error", "last"), ENDINGS)
def test_a_run_that_is_ended_for_its_lost_process_keeps_what_it_had_said(
    bench: Bench, configure: Callable[..., None], definition: dict[str, Any], status: str, error: str, last: list[str]
) -> None:
    configure(max_concurrent_runs=0)
    run = bench.start(bench.app(definition), query="go")
    said = ({"event": "message", "answer": "y"}, {"event": "message", "answer": "es"})
    stored.append(run.id, 1, [json.dumps(event) for event in said])
    assert rows.begin(run.id)
    seen = bench.stored(run)
    assert unattended.end(seen, status, error)
    assert not unattended.end(seen, "failed", "again")
    row = bench.stored(run)
    assert (row.status, row.error, row.outputs) == (status, error, {"answer": "yes", "files": []})
    assert (row.elapsed, row.total_tokens, row.total_steps, row.exceptions_count) == (0, 0, 0, 0)
    told = [json.loads(text) for _, text in stored.read(run.id, 2, 10)]
    assert [event["event"] for event in told] == last
    assert [problem for event in told for problem in wrong_with(event)] == []
    for event in told:
        if event["event"] == "message_end":
            assert {event["metadata"]["usage"][f"{name}_tokens"] for name in ("prompt", "completion", "total")} == {0}
        if event["event"] == "error":
            assert (event["code"], event["status"]) == ("worker_lost", 500)
    (message,) = conversations.history(run.conversation_id or "")
    assert (message.answer, message.status) == ("yes", {"failed": "error"}.get(status, status))


def test_a_run_that_is_stopped_where_nobody_had_begun_it_has_no_outputs(
    bench: Bench, configure: Callable[..., None]
) -> None:
    configure(max_concurrent_runs=0)
    run = bench.start(bench.app(chat_document()))
    assert unattended.end(bench.stored(run), "stopped", "Stopped by user.")
    assert bench.stored(run).outputs == {}


class Shop(http.server.BaseHTTPRequestHandler):
    """Takes an order."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_a_server_that_ends_gives_up_a_run_that_can_go_on_from_its_checkpoint(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(release_seconds=0.01, allow_private_addresses=True)
    chain = [node("start", "start", variables=[]), llm("llm", "x", **ENDLESS), end(said=["llm", "text"])]
    edges = [edge("start", "fetch"), edge("fetch", "llm"), edge("llm", "end")]
    with listening(Shop) as url:
        run = bench.start(bench.app(document([*chain, fetching(f"{url}/order")], edges)))
        # One that has acted on the world is kept at once.
        soon(lambda: checkpoints.get(run.id) and stored.last_seq(run.id) >= 8)
        runs.shutdown()
    row = bench.stored(run)
    assert (row.status, row.worker) == ("running", "")
    assert [free.id for free in leases.free(9)] == [run.id]


def test_a_server_that_ends_leaves_what_it_has_not_begun_to_others_whatever_it_does_to_the_world(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=1, release_seconds=0.01)
    at_work = bench.start(bench.app(chat_document(**ENDLESS)))
    soon(lambda: stored.last_seq(at_work.id) >= 4)
    chain = [node("start", "start", variables=[]), fetching("http://127.0.0.1:9/"), end(said=["fetch", "body"])]
    waits = bench.start(bench.app(document(chain, [edge("start", "fetch"), edge("fetch", "end")])))
    runs.shutdown()
    row = bench.stored(waits)
    assert (row.status, row.worker) == ("queued", "")


@pytest.mark.parametrize("other", ["!", "~"])
def test_what_another_worker_holds_is_not_made_ready_here(
    bench: Bench, configure: Callable[..., None], other: str
) -> None:
    configure(max_concurrent_runs=0)
    run = bench.start(bench.app(chat_document()))
    assert leases.take(run, other, 60)
    assert taking_up.ready(runs.machine(), run.id) is None
    assert leases.take(bench.stored(run), runs.machine().place.worker, 60)
    assert taking_up.ready(runs.machine(), run.id) is not None


def test_a_server_that_ends_while_the_store_is_away_lets_its_runs_go_all_the_same(
    bench: Bench, soon: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.start(bench.app(chat_document(**ENDLESS)))
    live = runs.machine().live[run.id]
    soon(lambda: stored.last_seq(run.id) >= 4)

    def away(worker: str) -> int:
        raise OSError("away")

    monkeypatch.setattr("engine.running.letting_go.leases.release_queued", away)
    runs.shutdown()
    assert live.ended.is_set()
    assert live.abandoned
    assert live.cancel.tripped
    assert bench.stored(run).status == "running", "whoever looks next finds it"


def test_a_run_whose_end_could_not_be_stored_at_once_is_held_until_it_is_and_then_let_go(
    bench: Bench, soon: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_end, is_away = opening.record_end, threading.Event()
    is_away.set()

    def record_end(*given: Any) -> bool:
        if is_away.is_set():
            raise OSError("away")
        return store_end(*given)

    monkeypatch.setattr("engine.running.machine.opening.record_end", record_end)
    run = bench.start(bench.app(chat_document()))
    machine = runs.machine()
    live = machine.live[run.id]
    soon(live.ended.is_set)
    assert run.id in machine.held()
    assert not bench.stored(run).is_over
    is_away.clear()
    soon(lambda: bench.stored(run).is_over and run.id not in machine.held())
    assert bench.events(run)[-1]["data"]["status"] == "succeeded"


def test_the_end_of_a_quiet_run_that_could_not_be_stored_is_stored_when_the_store_is_back(
    bench: Bench, soon: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.start(bench.app(chain_document(llm("llm", "x", first_delay_ms=600_000), "text")))
    machine = runs.machine()
    soon(lambda: stored.last_seq(run.id) >= 4 and machine.writer._asleep, "a run that has told all that it has to")
    live, store_end, tried = machine.live[run.id], opening.record_end, list[str]()

    def record_end(*given: Any) -> bool:
        tried.append("")
        if len(tried) == 1:
            raise OSError("away")
        return store_end(*given)

    monkeypatch.setattr("engine.running.machine.opening.record_end", record_end)
    live.end("stopped", "Stopped by user.")
    assert bench.events(run)[-1]["data"]["status"] == "stopped"
    assert bench.stored(run).is_over


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(("definition", "last"), [(chat_document(), "workflow_finished"), (easy("chat"), "error")])
def test_a_run_whose_version_is_gone_when_it_is_taken_up_has_failed(
    bench: Bench, configure: Callable[..., None], definition: dict[str, Any], last: str, begun: bool
) -> None:
    configure(max_concurrent_runs=0)
    app = bench.app(definition)
    run = bench.start(app, query="go")
    if begun:
        assert rows.begin(run.id)
    with db_session:
        sql.change("UPDATE apps SET published_id = NULL WHERE id = ?", app.id)
        sql.change("DELETE FROM versions WHERE app_id = ?", app.id)
    configure()
    recovery.recover(runs.machine())
    told = bench.events(run)
    assert told[-1]["event"] == last
    row = bench.stored(run)
    assert (row.status, row.error) == ("failed", recovery.LOST)
