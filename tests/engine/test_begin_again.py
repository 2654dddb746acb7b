"""Runs that lose their process before a checkpoint: they begin again, unless the world could tell."""

from __future__ import annotations

import http.server
from collections.abc import Callable
from typing import Any

import pytest

from engine import runs
from engine.running import recovery
from engine.running.repeatable import is_repeatable
from store import conversations, leases
from store import events as stored
from store import runs as rows
from tests.engine.conftest import Bench
from tests.engine.graphs import chain_document, chat_document, code, document, edge, end, llm, node, template
from tests.engine.test_agents import SUM, TIME, agent
from tests.engine.test_easy_modes import easy
from tests.engine.test_stop import fetching
from tests.engine.web_server import listening

SLOW = {"delay_ms": 80, "chunks": 8}
SAID = "w0 w1 w2 w3 w4 w5 w6 w7 "
MINE = {"provider_type": "api", "provider_id": "weather", "tool_name": "forecast", "enabled": True}


def lose(run: rows.Run, soon: Callable[..., Any], told: int, times: int = 1) -> None:
    """Have the process that runs it lose a run after so many events, and another take it over."""
    machine = runs.machine()
    for _ in range(times):
        before = stored.last_seq(run.id)
        soon(lambda before=before: stored.last_seq(run.id) >= before + told)
        machine.live[run.id].abandon("lost")
        soon(lambda: run.id not in machine.live)
        leases.release(run.id, machine.place.worker)
        assert recovery.recover(machine) == 1


def said(events: list[dict[str, Any]]) -> str:
    text = ""
    for event in events:
        told = event.get("answer", "") or event.get("data", {}).get("text", "")
        text = told if event["event"] in ("message_replace", "text_replace") else text + told
    return text


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
def test_a_question_whose_server_died_is_answered_from_the_start_and_what_was_said_taken_back(
    bench: Bench, soon: Callable[..., Any], mode: str
) -> None:
    run = bench.start(bench.app(easy(mode, parameters=SLOW)), query="go")
    lose(run, soon, 3)
    events = bench.numbered(run)
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    told = [event for _, event in events]
    assert [event["event"] for event in told].count("message_replace") == 1
    assert told[-1]["event"] == "message_end"
    assert said(told) == SAID
    kept = conversations.history(run.conversation_id or "")[0]
    assert (kept.answer, kept.status, bench.stored(run).status) == (SAID, "normal", "succeeded")


@pytest.mark.parametrize("mode", ["workflow", "advanced-chat"])
def test_a_flow_that_only_thinks_begins_again_when_it_has_no_checkpoint(
    bench: Bench, soon: Callable[..., Any], mode: str
) -> None:
    last = end(result=["llm", "text"]) if mode == "workflow" else node("end", "answer", answer="{{#llm.text#}}")
    chain = [node("start", "start", variables=[]), llm("llm", "x", **SLOW), last]
    definition = document(chain, [edge("start", "llm"), edge("llm", "end")], mode)
    run = bench.start(bench.app(definition))
    lose(run, soon, 6)
    events = bench.events(run)
    begun = [e["data"]["reason"] for e in events if e["event"] == "workflow_started"]
    assert begun == ["initial", "resumption"]
    assert said(events) == SAID
    assert events[-1]["data"]["status"] == "succeeded"
    started = [e["data"]["id"] for e in events if e["event"] == "node_started"]
    assert sorted(started) == sorted(e["data"]["id"] for e in events if e["event"] == "node_finished")
    assert len(set(started)) == len(started)


def test_a_run_that_may_have_acted_on_the_world_is_not_begun_again(bench: Bench, soon: Callable[..., Any]) -> None:
    definition = chain_document(llm("llm", "x", **SLOW), "text")
    definition["graph"]["nodes"].append(fetching("http://127.0.0.1:9/"))
    run = bench.start(bench.app(definition))
    lose(run, soon, 6)
    assert bench.events(run)[-1]["data"]["error"] == recovery.LOST


def test_what_a_node_did_to_the_world_is_not_done_again_because_a_later_one_was_lost(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(allow_private_addresses=True)
    asked: list[str] = []

    class Shop(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with listening(Shop) as url:
        order = fetching(f"{url}/order")
        chain = [node("start", "start", variables=[]), order, llm("llm", "x", **SLOW), end(result=["llm", "text"])]
        edges = [edge("start", "fetch"), edge("fetch", "llm"), edge("llm", "end")]
        run = bench.start(bench.app(document(chain, edges)))
        lose(run, soon, 8)
        events = bench.events(run)
    assert asked == ["/order"]
    assert (said(events), events[-1]["data"]["status"]) == (SAID, "succeeded")


def test_a_run_that_always_takes_its_process_down_is_begun_three_times_more(
    bench: Bench, soon: Callable[..., Any]
) -> None:
    run = bench.start(bench.app(easy("chat", parameters={"delay_ms": 20, "chunks": 1000})), query="go")
    lose(run, soon, 3, times=4)
    last = bench.events(run)[-1]
    assert (last["event"], last["code"], last["message"]) == ("error", "worker_lost", recovery.LOST)


def _assigning(target: str) -> dict[str, Any]:
    item = {"variable_selector": [target, "n"], "input_type": "constant", "operation": "+=", "value": 1}
    return node("a", "assigner", version="2", items=[item])


def _agent_node(*tools: dict[str, Any]) -> dict[str, Any]:
    return node("a", "agent", agent_parameters={"tools": {"type": "constant", "value": list(tools)}})


@pytest.mark.parametrize(
    ("acts", "one"),
    [
        (False, template("t", "x")),
        (False, code("c", "def main():\n    return {}")),
        (False, node("t", "tool", provider_id="time", tool_name="weekday")),
        (False, _agent_node(TIME, SUM)),
        (False, _agent_node({**MINE, "enabled": False})),
        (False, node("a", "easy-agent", tools=[TIME])),
        (False, _assigning("again")),
        (True, _assigning("conversation")),
        (True, node("a", "assigner", assigned_variable_selector=["conversation", "n"], write_mode="append")),
        (True, fetching("http://127.0.0.1:9/")),
        (True, node("t", "tool", provider_id="weather", tool_name="forecast")),
        (True, _agent_node(TIME, MINE)),
        (True, node("a", "agent", agent_parameters={"tools": {"type": "variable", "value": "x"}})),
        (True, node("a", "easy-agent", tools=[MINE])),
        (True, node("x", "something-new")),
    ],
)  # fmt: skip
def test_what_acts_on_the_world(acts: bool, one: dict[str, Any]) -> None:
    assert is_repeatable(chain_document(one)) is not acts


def test_a_server_that_is_told_to_stop_gives_up_what_can_begin_again_elsewhere(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(release_seconds=0.1)
    slow = {"delay_ms": 20, "chunks": 40}
    asked = [
        bench.start(bench.app(easy("chat", parameters=slow)), query="go"),
        bench.start(bench.app(agent(slow, TIME)), query="go"),
        bench.start(bench.app(chat_document(**slow))),
    ]
    for run in asked:
        soon(lambda run=run: stored.last_seq(run.id) >= 4)
    runs.shutdown()
    assert {(row.status, row.worker, row.attempts) for row in map(bench.stored, asked)} == {("queued", "", 0)}
    configure()
    for run in asked:
        assert said(bench.events(run)) == "".join(f"w{n} " for n in range(40))


def test_a_server_that_is_told_to_stop_lets_an_answer_end_that_is_nearly_there(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(release_seconds=10)
    run = bench.start(bench.app(easy("chat", parameters={"delay_ms": 50, "chunks": 10})), query="go")
    soon(lambda: stored.last_seq(run.id) >= 2)
    runs.shutdown()
    assert bench.stored(run).status == "succeeded"


def test_a_server_that_ends_leaves_a_run_alone_that_another_has_taken_over(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(release_seconds=0.1)
    run = bench.start(bench.app(easy("chat", parameters={"delay_ms": 50, "chunks": 100})), query="go")
    soon(lambda: stored.last_seq(run.id) >= 2)
    assert leases.take(bench.stored(run), "another", 60)
    runs.shutdown()
    assert (bench.stored(run).status, bench.stored(run).worker) == ("running", "another")
