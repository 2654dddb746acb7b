"""The text of answers and ends, where the same value is told twice, an attempt fails, or a graph has many branches."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from engine import runs
from engine.events import text_filter
from tests.engine.conftest import Bench
from tests.engine.forms import answer as submit
from tests.engine.forms import ask, token_of
from tests.engine.graphs import chain_document, document, edge, end, llm, node, template
from tests.engine.order import said
from tests.engine.test_error_strategies import container

START = node("start", "start", variables=[])


def chat(*nodes: dict[str, Any]) -> dict[str, Any]:
    """The nodes one after the other."""
    made = [START, *nodes]
    return document(made, [edge(a["id"], b["id"]) for a, b in pairwise(made)], "advanced-chat")


def flaky(**script: Any) -> dict[str, Any]:
    """A model that fails after its first word, and what becomes of it by retry or strategy."""
    data = {key: script.pop(key) for key in ("retry_config", "error_strategy", "default_value") if key in script}
    made = llm("llm", "one two three", error="asleep", error_after=1, **script)
    made["data"] |= data
    return made


RETRY = {"retry_enabled": True, "max_retries": 3, "retry_interval": 1}
INSTEAD = [{"key": "text", "type": "string", "value": "instead"}]


def test_a_streamed_value_is_told_wherever_it_is_referred_to(bench: Bench) -> None:
    first = node("first", "answer", answer="{{#llm.text#}}, again {{#llm.text#}}.")
    second = node("second", "answer", answer=" And {{#llm.text#}}")
    events = bench.run(chat(llm("llm", "x"), first, second))
    assert said(events) == events[-1]["data"]["outputs"]["answer"] == "echo: x, again echo: x. And echo: x"


def test_of_a_value_in_many_pieces_few_are_kept_and_it_is_told_whole_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_filter, "_MOST_PIECES", 10)
    real, kept = text_filter.TextFilter._handle_stream_chunk, []

    def handle(self: Any, event: Any) -> Any:
        told = real(self, event)
        kept.extend(map(len, self._stream_buffers.events.values()))
        return told

    monkeypatch.setattr(text_filter.TextFilter, "_handle_stream_chunk", handle)
    words = "".join(f"w{number} " for number in range(35))
    twice = node("answer", "answer", answer="{{#llm.text#}}, again {{#llm.text#}}. {{#other.text#}}")
    model = llm("llm", "x", chunks=35, error="asleep", error_after=25, fail_times=1)
    model["data"]["retry_config"] = RETRY
    events = bench.run(chat(model, llm("other", "x", chunks=35), twice))
    assert said(events).replace(words, "…") == "…, again …. …"
    assert events[-1]["data"]["outputs"]["answer"].replace(words, "…") == "…, again …. …"
    assert max(kept) < 10


def test_a_value_told_before_a_form_is_told_again_after_it(bench: Bench) -> None:
    before = node("before", "answer", answer="{{#llm.text#}}? ")
    after = node("after", "answer", answer="{{#llm.text#}}! {{#review.comment#}} {{#llm.text#}}")
    made = [START, llm("llm", "x"), before, ask(), after]
    edges = [edge("start", "llm"), edge("llm", "before"), edge("before", "review"), edge("review", "after", "approve")]
    run = bench.start(bench.app(document(made, edges, "advanced-chat")))
    told = bench.events(run)
    assert said(told) == "echo: x? "
    submit(token_of(told), comment="yes")
    told += bench.events(run, None)
    assert told[-1]["data"]["outputs"]["answer"] == "echo: x? echo: x! yes echo: x"


@pytest.mark.parametrize("mode", ["advanced-chat", "workflow"])
@pytest.mark.parametrize(
    ("script", "text"),
    [
        ({"retry_config": RETRY, "fail_times": 2}, "echo: one two three"),
        ({"error_strategy": "default-value", "default_value": INSTEAD}, "instead"),
    ],
    ids=["retry", "default value"],
)
def test_the_words_of_an_attempt_that_failed_are_taken_back(
    bench: Bench, script: dict[str, Any], text: str, mode: str
) -> None:
    flow = chat(flaky(**script), node("answer", "answer", answer="So: {{#llm.text#}}, {{#llm.text#}}."))
    if mode == "workflow":
        flow = chain_document(flaky(**script), "text")
    events = bench.run(flow)
    replacing = "message_replace" if mode == "advanced-chat" else "text_replace"
    assert replacing in [event["event"] for event in events]
    outputs = events[-1]["data"]["outputs"]
    wanted = f"So: {text}, {text}." if mode == "advanced-chat" else text
    assert said(events) == wanted == outputs.get("answer", outputs.get("result"))
    assert set(outputs) == ({"answer", "files"} if mode == "advanced-chat" else {"result"})


def test_text_behind_a_reference_without_a_value_is_told(bench: Bench) -> None:
    fails = flaky(error_strategy="fail-branch")
    last = node("answer", "answer", answer="It said: {{#llm.text#}} and that was it.")
    flow = document(
        [START, fails, last],
        [edge("start", "llm"), edge("llm", "answer", "success-branch"), edge("llm", "answer", "fail-branch")],
        "advanced-chat",
    )
    events = bench.run(flow)
    assert said(events) == events[-1]["data"]["outputs"]["answer"] == "It said:  and that was it."


def test_a_branch_that_was_not_taken_says_nothing_and_a_mistake_is_shown(bench: Bench) -> None:
    case = {"variable_selector": ["sys", "user_id"], "comparison_operator": "not empty", "value": ""}
    branch = node("b", "if-else", cases=[{"case_id": "true", "logical_operator": "and", "conditions": [case]}])
    text = "{{#yes.output#}}{{#no.output#}} {{#yes.nope#}}{{#gone.x#}}."
    nodes = [START, branch, template("yes", "taken"), template("no", "not"), node("answer", "answer", answer=text)]
    edges = [edge("start", "b"), edge("b", "yes", "true"), edge("b", "no", "false")]
    edges += [edge("yes", "answer"), edge("no", "answer")]
    events = bench.run(document(nodes, edges, "advanced-chat"))
    assert said(events) == events[-1]["data"]["outputs"]["answer"] == "taken gone.x."


def test_a_finished_chat_that_took_words_back_is_read_again_without_them(bench: Bench) -> None:
    run = bench.start(
        bench.app(chat(flaky(retry_config=RETRY, fail_times=1), node("answer", "answer", answer="{{#llm.text#}}")))
    )
    bench.events(run)

    async def again() -> list[dict[str, Any]]:
        return [json.loads(text) async for _, text in runs.follow(run.id, after=None)]

    events = asyncio.run(again())
    assert [event["event"] for event in events] == ["message", "message_end", "workflow_finished"]
    assert said(events) == "echo: one two three"


def test_branches_in_a_row_do_not_add_up(bench: Bench) -> None:
    """Forty of them: a search of every path would take longer than anybody lives."""
    nodes, edges, exits = [START], [], [("start", "source")]
    for number in range(40):
        condition = {"variable_selector": ["sys", "user_id"], "comparison_operator": "not empty", "value": ""}
        case = {"case_id": "true", "logical_operator": "and", "conditions": [condition]}
        branch, yes, no = f"b{number}", f"y{number}", f"n{number}"
        nodes += [node(branch, "if-else", cases=[case]), template(yes, "x"), template(no, "y")]
        edges += [edge(source, branch, handle) for source, handle in exits]
        edges += [edge(branch, yes, "true"), edge(branch, no, "false")]
        exits = [(yes, "source"), (no, "source")]
    nodes.append(end(out=["y39", "output"]))
    edges += [edge(source, "end", handle) for source, handle in exits]
    events = bench.run(document(nodes, edges))
    assert said(events) == "x"


@pytest.mark.parametrize("kind", ["loop", "iteration"])
def test_answers_in_the_rounds_of_a_container_are_told_and_are_part_of_the_answer(bench: Bench, kind: str) -> None:
    data: dict[str, Any] = {"loop_count": 2, "break_conditions": [], "logical_operator": "and"}
    if kind == "iteration":
        data = {"iterator_selector": ["env", "two"], "output_selector": ["inner", "answer"]}
    inner = node("inner", "answer", answer="<{{#sys.query#}}>")
    nodes = [START, *container(kind, inner, **data), node("last", "answer", answer=" done")]
    edges = [edge("start", "it"), edge("first", "inner"), edge("it", "last")]
    two = [{"name": "two", "value_type": "array[string]", "value": ["a", "b"]}]
    events = bench.run(document(nodes, edges, "advanced-chat", environment_variables=two), query="q")
    assert said(events) == events[-1]["data"]["outputs"]["answer"] == "<q><q> done"
    told = [event["from_variable_selector"] for event in events if event["event"] == "message"]
    assert told == [["inner", "answer"], ["inner", "answer"], ["last", "answer"]]


def test_an_answer_of_a_round_that_fails_later_stays_said(bench: Bench) -> None:
    inner = node("inner", "answer", answer="<{{#it.item#}}>")
    broken = template("broken", "{% if v == 'a' %}{{ 1 / 0 }}{% endif %}", v=["it", "item"])
    broken = {**broken, "parentId": "it", "data": {**broken["data"], "isInIteration": True, "iteration_id": "it"}}
    data = {"iterator_selector": ["env", "two"], "output_selector": ["broken", "output"]}
    inside = container("iteration", inner, error_handle_mode="continue-on-error", **data)
    nodes = [START, *inside, broken, node("last", "answer", answer=" done")]
    edges = [edge("start", "it"), edge("first", "inner"), edge("inner", "broken"), edge("it", "last")]
    two = [{"name": "two", "value_type": "array[string]", "value": ["a", "b"]}]
    events = bench.run(document(nodes, edges, "advanced-chat", environment_variables=two))
    assert said(events) == events[-1]["data"]["outputs"]["answer"] == "<a><b> done"


def test_an_end_tells_nothing_of_what_is_nowhere_or_inside_a_container(bench: Bench) -> None:
    inside = container("loop", template("inner", "x"), loop_count=1, break_conditions=[], logical_operator="and")
    last = end(nowhere=["gone", "x"], inside=["inner", "output"], rounds=["it", "loop_round"])
    edges = [edge("start", "it"), edge("first", "inner"), edge("it", "end")]
    events = bench.run(document([START, *inside, last], edges))
    assert events[-1]["data"]["outputs"] == {"nowhere": None, "inside": None, "rounds": 1}
    assert said(events) == "\n\n1"
