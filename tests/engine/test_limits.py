"""What a run may use at most: time, steps, bytes of output. Over it, it ends as failed and says which limit it was."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from engine import runs
from engine.nodes import factory
from engine.running import taking_up
from engine.running.cancel import CancelToken
from store import events as stored
from store import runs as rows
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import answer, ask, token_of
from tests.engine.graphs import chain_document, chat_document, code, document, edge, end, llm, node, template
from tests.engine.order import problems
from tests.engine.test_error_strategies import container
from tests.engine.test_stop import looping
from tests.waiting import until

HOUR = 3600


def ending(events: list[dict[str, Any]]) -> tuple[str, str]:
    last = events[-1]
    assert last["event"] == "workflow_finished"
    started = [e["data"]["id"] for e in events if e["event"] == "node_started"]
    finished = [e["data"]["id"] for e in events if e["event"] == "node_finished"]
    assert set(started) == set(finished)
    return last["data"]["status"], last["data"]["error"]


def asking(*after: dict[str, Any]) -> dict[str, Any]:
    """start → a person → the given nodes → end."""
    chain = [node("start", "start", variables=[]), ask(), *after, end(result=["review", "comment"])]
    ids = [one["id"] for one in chain]
    edges = [edge(a, b, "approve" if a == "review" else "source") for a, b in itertools.pairwise(ids)]
    return document(chain, edges)


def after_a_pause(bench: Bench, definition: dict[str, Any]) -> list[dict[str, Any]]:
    """All events of a run that was asked something and answered."""
    run = bench.start(bench.app(definition))
    head = bench.events(run)
    assert head[-1]["event"] == "workflow_paused"
    answer(token_of(head), comment="x")
    return head + bench.events(run, len(head))


def test_a_run_over_its_time_fails_with_the_limit_named(bench: Bench, configure: Any) -> None:
    configure(max_execution_seconds=0.3)
    events = bench.run(chat_document(delay_ms=50, chunks=100_000))
    assert ending(events) == ("failed", "Aborted: Maximum execution time exceeded: 0.30s > 0.3s")


def test_the_time_before_a_pause_counts_and_the_waiting_does_not(
    bench: Bench, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock that measures work is moved: by an hour of work before the pause, and by an hour of waiting."""
    ahead, deadlines, sleep = 0, list[tuple[float, Any]](), CancelToken.sleep

    def worked(self: CancelToken, seconds: float) -> None:
        nonlocal ahead
        if seconds == 1.234:
            ahead += HOUR
        else:
            sleep(self, seconds)

    monkeypatch.setattr(CancelToken, "sleep", worked)
    monkeypatch.setattr("engine.running.live.time", SimpleNamespace(monotonic=lambda: time.monotonic() + ahead))
    configure(max_execution_seconds=3 * HOUR)
    monkeypatch.setattr(runs.machine().timers, "after", lambda *deadline: deadlines.append(deadline) or 0)
    nodes = [
        node("start", "start", variables=[]), llm("before", "x", first_delay_ms=1234), ask(),
        llm("slow", "x", first_delay_ms=600_000), end(),
    ]  # fmt: skip
    edges = [
        edge("start", "before"), edge("before", "review"), edge("review", "slow", "approve"), edge("slow", "end"),
    ]  # fmt: skip
    run = bench.start(bench.app(document(nodes, edges)))
    head = bench.events(run)
    ahead += HOUR
    answer(token_of(head), comment="x")
    until(lambda: any('"node_id":"slow"' in text for _, text in stored.read(run.id, len(head), 99)), "the slow node")
    (whole, _), (rest, expire) = deadlines
    assert whole == 3 * HOUR
    assert HOUR < rest <= 2 * HOUR, "one hour is used up, not two"
    expire()
    status, error = ending(head + bench.events(run, len(head)))
    assert (status, error.partition(": ")[0]) == ("failed", "Aborted")
    assert "execution time" in error


@pytest.mark.parametrize("why", ["its time is over", "it is stopped"])
def test_a_run_that_ends_before_it_goes_on_tells_the_end_of_each_node_that_waited(
    bench: Bench, configure: Any, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Its engine does not exist yet in this moment."""
    definition = asking()
    run = bench.start(bench.app(definition))
    head = bench.events(run)
    ready, limit = taking_up.ready, runs.machine().config.max_execution_seconds

    def stopped(*taken: Any) -> Any:
        made = ready(*taken)
        assert why == "its time is over" or rows.request_stop(run.id)
        return made

    def after(_: float, expire: Any) -> int:
        if why == "its time is over":
            expire()
        return 0

    monkeypatch.setattr(taking_up, "ready", stopped)
    monkeypatch.setattr(runs.machine().timers, "after", after)
    answer(token_of(head), comment="x")
    events = head + bench.events(run, len(head))
    assert problems(events, definition) == []
    told = {
        "its time is over": ("failed", f"Aborted: Maximum execution time exceeded: {limit:.2f}s > {limit:g}s"),
        "it is stopped": ("stopped", "Stopped by user."),
    }
    assert ending(events) == told[why]
    assert events[-1]["data"]["total_steps"] == 2


def test_a_run_over_its_steps_fails_with_the_limit_named(bench: Bench, configure: Any) -> None:
    configure(max_execution_steps=5)
    assert ending(bench.run(looping())) == ("failed", "Aborted: Maximum execution steps exceeded: 6 > 5")


def test_the_steps_before_a_pause_count(bench: Bench, configure: Any) -> None:
    configure(max_execution_steps=4)
    events = after_a_pause(bench, asking(template("one", "1"), template("two", "2")))
    assert ending(events) == ("failed", "Aborted: Maximum execution steps exceeded: 5 > 4")


def test_a_run_that_tells_too_much_fails_with_the_limit_named(bench: Bench, configure: Any) -> None:
    configure(max_run_bytes=20_000)
    events = bench.run(chat_document(chunks=1000))
    assert ending(events) == ("failed", "Aborted: Maximum output size exceeded: more than 20000 bytes")
    told = "".join(event["answer"] for event in events if event["event"] == "message")
    assert events[-1]["data"]["outputs"]["answer"] == told
    assert len(told) < 20_000


def test_outputs_that_are_too_large_are_not_told(bench: Bench, configure: Any) -> None:
    configure(max_run_bytes=20_000)
    events = bench.run(chain_document(template("big", "{{ 'x' * 30000 }}")))
    assert ending(events) == ("failed", "Aborted: Maximum output size exceeded: more than 20000 bytes")
    assert events[-1]["data"]["outputs"] == {}


@pytest.mark.parametrize(("limit", "status"), [(12_000, "failed"), (100_000, "succeeded")])
def test_what_was_told_before_a_pause_counts(bench: Bench, configure: Any, limit: int, status: str) -> None:
    configure(max_run_bytes=limit)
    nodes = [
        node("start", "start", variables=[]), llm("one", "x", chunks=20),
        node("say", "answer", answer="{{#one.text#}}"), ask(), llm("two", "x", chunks=20),
        node("answer", "answer", answer="{{#two.text#}}"),
    ]  # fmt: skip
    edges = [
        edge("start", "one"), edge("one", "say"), edge("say", "review"), edge("review", "two", "approve"),
        edge("two", "answer"),
    ]  # fmt: skip
    events = after_a_pause(bench, document(nodes, edges, "advanced-chat"))
    assert ending(events)[0] == status


def test_rounds_in_which_nothing_is_done_count_as_steps(bench: Bench, configure: Any) -> None:
    configure(max_execution_steps=50)
    definition = looping()
    definition["graph"]["nodes"][1]["data"]["loop_count"] = 10**9
    definition["graph"]["nodes"] = [one for one in definition["graph"]["nodes"] if one["id"] != "t"]
    definition["graph"]["edges"] = [edge("start", "again"), edge("again", "end")]
    assert ending(bench.run(definition)) == ("failed", "Aborted: Maximum execution steps exceeded: 51 > 50")


def test_each_node_is_looked_at_once_for_all_nodes_that_cannot_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, owners = list[str](), factory._owners

    def counted(one: Any) -> Any:
        looks.append(one["id"])
        return owners(one)

    monkeypatch.setattr(factory, "_owners", counted)
    nodes = [node("start", "start", variables=[]), *(node(f"n{n}", "no-such-type") for n in range(300)), end()]
    assert ending(bench.run(document(nodes, [edge("start", "end")])))[0] == "succeeded"
    assert len(looks) <= 2 * len(nodes), "each for each would be 90,000"


LONG = template("long", "{{ 'é' * 300000 }}")
TEXT = ["long", "output"]
MANY = {f"n{number}": TEXT for number in range(150)}
REPEATED = "{{#long.output#}}" * 150
TOLD = {"provider_id": "text", "provider_type": "builtin", "provider_name": "text", "tool_label": "Count"}
MULTIPLIED = {
    "a prompt": llm("it", REPEATED),
    "a form": ask("it", REPEATED),
    "what a tool is given": node(
        "it", "tool", **TOLD, tool_name="count", tool_configurations={},
        tool_parameters={"text": {"type": "mixed", "value": REPEATED}},
    ),
    "what is sent": node(
        "it", "http-request", method="post", url="http://127.0.0.1:1/", headers="", params="", timeout={},
        authorization={"type": "no-auth"}, body={"type": "raw-text", "data": [{"type": "text", "value": REPEATED}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", MULTIPLIED)
def test_a_text_that_is_referred_to_many_times_fails_the_node_before_it_fills_the_memory(
    bench: Bench, place: str
) -> None:
    nodes = [node("start", "start", variables=[]), LONG, MULTIPLIED[place], end()]
    events = bench.run(document(nodes, [edge("start", "long"), edge("long", "it"), edge("it", "end")]))
    assert ending(events) == ("failed", "The texts of this node would be longer than 33554432 characters together")


def test_an_answer_that_repeats_a_long_text_ends_at_the_limit(bench: Bench, configure: Any) -> None:
    configure(max_run_bytes=2_000_000)
    nodes = [node("start", "start", variables=[]), LONG, node("answer", "answer", answer=REPEATED)]
    events = bench.run(document(nodes, [edge("start", "long"), edge("long", "answer")], "advanced-chat"))
    assert ending(events) == ("failed", "Aborted: Maximum output size exceeded: more than 2000000 bytes")


VALUES = "Aborted: Maximum output size exceeded: the run's values hold more than 4000000 characters"


def test_outputs_that_repeat_a_long_text_are_too_large_before_they_are_written(bench: Bench, configure: Any) -> None:
    configure(max_run_bytes=2_000_000)
    nodes = [node("start", "start", variables=[]), LONG, end(**MANY)]
    events = bench.run(document(nodes, [edge("start", "long"), edge("long", "end")]))
    assert ending(events)[1].startswith("Aborted: Maximum output size exceeded")


def big(name: str) -> dict[str, Any]:
    return code(name, "def main(): return {'one': 'x' * 390000}", one="string")


@pytest.mark.parametrize(("nodes", "error"), [(8, None), (12, VALUES)])
def test_what_all_nodes_put_out_together_has_a_limit(
    bench: Bench, configure: Any, nodes: int, error: str | None
) -> None:
    configure(max_run_bytes=2_000_000)
    chain = [node("start", "start", variables=[]), *(big(f"c{number}") for number in range(nodes)), end()]
    edges = [edge(one["id"], other["id"]) for one, other in itertools.pairwise(chain)]
    assert ending(bench.run(document(chain, edges)))[1] == error


def test_what_was_put_out_before_a_pause_counts_and_what_took_its_place_does_not(bench: Bench, configure: Any) -> None:
    configure(max_run_bytes=2_000_000)
    before, after = [big(f"b{number}") for number in range(6)], [big(f"a{number}") for number in range(6)]
    chain = [node("start", "start", variables=[]), *before, ask(), *after, end()]
    edges = [
        edge(a["id"], b["id"], "approve" if a["id"] == "review" else "source") for a, b in itertools.pairwise(chain)
    ]
    assert ending(after_a_pause(bench, document(chain, edges)))[1] == VALUES
    definition = looping()
    definition["graph"]["nodes"][3] = big("t") | {"parentId": "again"}
    definition["graph"]["nodes"][3]["data"] |= {"loop_id": "again", "isInLoop": True}
    definition["graph"]["nodes"][1]["data"]["loop_count"] = 20
    assert ending(bench.run(definition))[0] == "succeeded"


def test_an_app_has_no_more_runs_at_work_than_it_may(bench: Bench, configure: Any) -> None:
    configure(max_runs_per_app=3)
    asks = bench.app(asking(llm("slow", "x", delay_ms=100, chunks=100)))
    waiting = [bench.start(asks) for _ in range(3)]
    heads = [bench.events(run) for run in waiting]
    for head in heads:
        answer(token_of(head), comment="x")
    with pytest.raises(Refusal) as refused:
        bench.start(asks)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("too_many_requests", "5")
    assert "3 runs" in refused.value.message
    bench.run(chat_document())  # another app has room
    runs.stop(bench.stored(waiting[0]))
    bench.start(asks)


def test_of_many_at_once_as_many_begin_as_the_app_may_have(bench: Bench, configure: Any) -> None:
    configure(max_runs_per_app=4)
    app = bench.app(chat_document(delay_ms=100, chunks=100))

    def start(_: int) -> bool:
        try:
            return bool(bench.start(app))
        except Refusal:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(start, range(12))) == 4


@pytest.mark.parametrize("parallel", [True, False])
def test_rounds_side_by_side_count_no_more_than_one_after_the_other(
    bench: Bench, configure: Any, parallel: bool
) -> None:
    configure(max_execution_steps=75)
    data = {"iterator_selector": ["env", "sixty"], "output_selector": ["inner", "output"], "is_parallel": parallel}
    parts = container("iteration", template("inner", "x"), **data)
    nodes = [node("start", "start", variables=[]), *parts, end(o=["it", "output"])]
    edges = [edge("start", "it"), edge("first", "inner"), edge("it", "end")]
    sixty = [{"name": "sixty", "value_type": "array[number]", "value": list(range(60))}]
    assert ending(bench.run(document(nodes, edges, environment_variables=sixty))) == ("succeeded", None)
