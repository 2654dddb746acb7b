"""What happens when a node fails: nothing configured, a fail branch, default values, retries; for every type."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from engine import runs
from engine.nodes.kinds import KINDS
from engine.running.cancel import CancelToken
from tests.engine.conftest import Bench
from tests.engine.forms import ask
from tests.engine.graphs import code, document, edge, end, llm, node, template
from tests.engine.test_tool_nodes import agent, tool
from tests.waiting import HANG

ASLEEP = {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {"error": "asleep"}}
OFF = {"enabled": False}
LIST = {"filter_by": OFF, "order_by": OFF, "limit": OFF}
MISSING = ["start", "missing"]


def http(node_id: str, **data: Any) -> dict[str, Any]:
    shape = {"authorization": {"type": "no-auth"}, "headers": "", "params": "", "timeout": {}}
    return node(node_id, "http-request", **shape, **{"method": "get", "body": {"type": "none", "data": []}, **data})


def container(kind: str, inner: dict[str, Any], **data: Any) -> list[dict[str, Any]]:
    """A container with one failing node in it."""
    start = node("first", f"{kind}-start", "it", **{f"{kind}_id": "it"})
    inside = {**inner, "parentId": "it", "data": {**inner["data"], f"{kind}_id": "it"}}
    return [node("it", kind, start_node_id="first", **data), start, inside]


def assigner(version: str, **data: Any) -> dict[str, Any]:
    return node("it", "assigner", version=version, **data)


BROKEN = code("inner", "def main(): raise ValueError('inside')", result="string")
# A node of each type that fails, and what its error says.
FAILING: dict[str, tuple[list[dict[str, Any]], str]] = {
    "code": ([code("it", "def main(): raise ValueError('no')", result="string")], "ValueError: no"),
    "template-transform": ([template("it", "{{ 1 / 0 }}")], "division by zero"),
    "llm": ([llm("it", "x", error="asleep")], "asleep"),
    "question-classifier": (
        [node("it", "question-classifier", model=ASLEEP, query_variable_selector=["start", "word"],
              classes=[{"id": "1", "name": "a"}])],
        "asleep",
    ),
    "parameter-extractor": (
        [node("it", "parameter-extractor", model=ASLEEP, query=["start", "word"], reasoning_mode="prompt",
              parameters=[{"name": "a", "type": "string", "description": "", "required": True}])],
        "asleep",
    ),
    "http-request": ([http("it", url="http://127.0.0.1:9/")], "loopback address"),
    "tool": ([tool("it", "maths", "eval_expression", expression=("mixed", "1/0"))], "division by zero"),
    "agent": ([{**agent({"error": "asleep"}), "id": "it"}], "asleep"),
    "if-else": (
        [node("it", "if-else", cases=[{"case_id": "true", "logical_operator": "and", "conditions": [
            {"variable_selector": MISSING, "comparison_operator": "contains", "value": "x"}]}])],
        "not found",
    ),
    "list-operator": ([node("it", "list-operator", variable=MISSING, **LIST)], "not found"),
    "assigner": (
        [assigner("2", items=[{"variable_selector": ["conversation", "missing"], "input_type": "constant",
                               "operation": "set", "value": "x"}])],
        "not found",
    ),
    "iteration": (
        container("iteration", BROKEN, iterator_selector=["start", "words"], output_selector=["inner", "result"]),
        "inside",
    ),
    "loop": (
        container("loop", BROKEN, loop_count=2, break_conditions=[], logical_operator="and", loop_variables=[]),
        "inside",
    ),
    "document-extractor": ([node("it", "document-extractor", variable_selector=["start", "word"])], "not a file"),
    "a document that is not there": ([node("it", "document-extractor", variable_selector=MISSING)], "not found"),
    "knowledge-retrieval": (
        [node("it", "knowledge-retrieval", query_variable_selector=["start", "word"], dataset_ids=["gone"],
              retrieval_mode="multiple", multiple_retrieval_config={"top_k": 2})],
        "dataset",
    ),
    # What it asks cannot fail; it fails when it cannot ask.
    "human-input": ([ask("it", inputs=[{"type": "paragraph"}])], "The node is not complete: inputs.0"),
    "teleporter": ([node("it", "teleporter")], "Nodes of type 'teleporter' cannot run on this server"),
    "code that is not complete": ([node("it", "code", code="x")], "The node is not complete: "),
}  # fmt: skip
BRANCHING = {"question-classifier": "1", "if-else": "true"}
RETRIED = {
    "code", "llm", "question-classifier", "parameter-extractor", "http-request", "tool", "agent", "document-extractor",
    "a document that is not there",
}  # fmt: skip
# These have nothing in them that can fail, or no place for a strategy; an easy agent is its own app's whole graph.
CANNOT_FAIL = {
    "start", "end", "answer", "iteration-start", "loop-start", "loop-end", "variable-aggregator", "variable-assigner",
    "easy-agent",
    "easy-knowledge",
}  # fmt: skip


def flow(kind: str, **strategy: Any) -> dict[str, Any]:
    """start → the failing node → good, with a fail branch → bad."""
    it, *others = FAILING[kind][0]
    it = {**it, "data": {**it["data"], **strategy}}
    variables = [
        {"variable": "word", "type": "text-input", "label": "w", "required": False, "default": "x"},
        {"variable": "words", "type": "json_object", "label": "w", "required": False},
    ]
    words = code("words", "def main(): return {'result': ['a', 'b']}", result="array[string]")
    if kind == "iteration":
        it["data"]["iterator_selector"] = ["words", "result"]
    nodes = [
        node("start", "start", variables=variables),
        words,
        it,
        *others,
        end("good", output=["it", "output"]),
        end("bad", message=["it", "error_message"], kind=["it", "error_type"]),
    ]
    success = BRANCHING.get(kind, "source")
    edges = [edge("start", "words"), edge("words", "it"), edge("it", "good", success), edge("it", "bad", "fail-branch")]
    if others:
        edges.append(edge("first", "inner"))
    if strategy.get("error_strategy") != "fail-branch":
        edges = [one for one in edges if one["target"] != "bad"]
        nodes.pop()
    return document(nodes, edges)


def finished(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["event"] == "workflow_finished"
    return events[-1]["data"]


def of_node(events: list[dict[str, Any]], node_id: str) -> list[tuple[str, Any]]:
    return [(e["event"], e["data"].get("status")) for e in events if e.get("data", {}).get("node_id") == node_id]


def failures(kind: str) -> int:
    """A container fails because a node in it did: both count."""
    return 2 if kind in ("iteration", "loop") else 1


def test_every_type_of_node_is_told_here_or_cannot_fail() -> None:
    assert {str(kind) for kind in KINDS} - set(FAILING) == CANNOT_FAIL


@pytest.mark.parametrize("kind", FAILING)
def test_a_failing_node_without_a_strategy_ends_its_run_with_the_error(bench: Any, kind: str) -> None:
    events = bench.run(flow(kind))
    assert finished(events)["status"] == "failed"
    assert FAILING[kind][1] in finished(events)["error"]
    assert "Traceback" not in finished(events)["error"]
    assert "good" not in [e["data"].get("node_id") for e in events]
    last, status = of_node(events, "it")[-1]
    assert (last, status) == (f"{kind}_completed" if kind in ("iteration", "loop") else "node_finished", "failed")


@pytest.mark.parametrize("kind", FAILING)
def test_a_fail_branch_is_taken_with_the_error_and_the_run_succeeds_in_part(bench: Any, kind: str) -> None:
    events = bench.run(flow(kind, error_strategy="fail-branch"))
    assert (finished(events)["status"], finished(events)["exceptions_count"]) == ("partial-succeeded", failures(kind))
    assert FAILING[kind][1] in finished(events)["outputs"]["message"]
    assert isinstance(finished(events)["outputs"]["kind"], str)
    reached = [e["data"]["node_id"] for e in events if e["event"] == "node_started"]
    assert ("bad" in reached, "good" in reached) == (True, False)
    if kind not in ("iteration", "loop"):
        assert of_node(events, "it")[-1] == ("node_finished", "exception")


@pytest.mark.parametrize("kind", sorted(set(FAILING) - set(BRANCHING)))
def test_default_values_stand_in_and_the_run_goes_on(bench: Any, kind: str) -> None:
    default = [{"key": "output", "type": "array[string]", "value": ["instead"]}]
    events = bench.run(flow(kind, error_strategy="default-value", default_value=default))
    assert (finished(events)["status"], finished(events)["exceptions_count"]) == ("partial-succeeded", failures(kind))
    assert finished(events)["outputs"] == {"output": ["instead"]}


@pytest.mark.parametrize("kind", FAILING)
def test_the_types_that_ask_the_outside_are_tried_again_as_often_as_they_say(bench: Any, kind: str) -> None:
    retry = {"retry_enabled": True, "max_retries": 2, "retry_interval": 1}
    events = bench.run(flow(kind, retry_config=retry))
    retries = [e["data"]["retry_index"] for e in events if e["event"] == "node_retry"]
    assert retries == ([1, 2] if kind in RETRIED else [])
    assert finished(events)["status"] == "failed"


def test_a_node_that_fails_twice_and_then_works_gives_its_result(bench: Any) -> None:
    retry = {"retry_enabled": True, "max_retries": 3, "retry_interval": 1}
    flaky = llm("it", "hello", error="asleep", fail_times=2)
    flaky["data"]["retry_config"] = retry
    nodes = [node("start", "start", variables=[]), flaky, end(text=["it", "text"])]
    events = bench.run(document(nodes, [edge("start", "it"), edge("it", "end")]))
    assert [e["data"]["retry_index"] for e in events if e["event"] == "node_retry"] == [1, 2]
    assert finished(events)["outputs"] == {"text": "echo: hello"}


MODES = {
    "terminated": ("failed", None),
    "continue-on-error": ("succeeded", ["a!", None, "c!"]),
    "remove-abnormal-output": ("succeeded", ["a!", "c!"]),
}


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_an_iteration_deals_with_a_failing_round_as_it_says(bench: Any, mode: str, parallel: bool) -> None:
    text = "def main(word):\n    assert word != 'b', 'not b'\n    return {'result': word + '!'}"
    inner = code("inner", text, result="string")
    inner["data"]["variables"] = [{"variable": "word", "value_selector": ["it", "item"]}]
    nodes = container(
        "iteration", inner, iterator_selector=["words", "result"], output_selector=["inner", "result"],
        error_handle_mode=mode, is_parallel=parallel, parallel_nums=3,
    )  # fmt: skip
    words = code("words", "def main(): return {'result': ['a', 'b', 'c']}", result="array[string]")
    edges = [edge("start", "words"), edge("words", "it"), edge("first", "inner"), edge("it", "end")]
    all_nodes = [node("start", "start", variables=[]), words, *nodes, end(output=["it", "output"])]
    last = finished(bench.run(document(all_nodes, edges)))
    status, output = MODES[mode]
    assert last["status"] in (status, "partial-succeeded") if status == "succeeded" else last["status"] == status
    assert last["outputs"].get("output") == output


def test_what_works_beside_a_node_goes_on_while_it_waits_for_another_attempt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ends once the other branch has spoken: if that stood still meanwhile, neither would end."""
    broken, other = llm("broken", "x", error="asleep"), llm("llm", "x", first_delay_ms=100)
    retry = {"retry_enabled": True, "max_retries": 1, "retry_interval": 4321}
    broken["data"] |= {"retry_config": retry, "error_strategy": "default-value"}
    nodes = [node("start", "start", variables=[]), broken, other, end(text=["llm", "text"])]
    edges = [edge("start", "broken"), edge("start", "llm"), edge("broken", "end"), edge("llm", "end")]
    spoken, waits, sleep = threading.Event(), list[float](), CancelToken.sleep

    def waited(self: CancelToken, seconds: float) -> None:
        if seconds != 4.321:
            return sleep(self, seconds)
        assert spoken.wait(HANG)
        waits.append(seconds)

    monkeypatch.setattr(CancelToken, "sleep", waited)
    run, told = bench.start(bench.app(document(nodes, edges))), list[str]()

    async def read() -> None:
        async with asyncio.timeout(HANG):
            async for _, payload in runs.follow(run.id, after=0):
                event = json.loads(payload)
                told.append(f"{event['event']} {event['data'].get('node_id', '')}")
                if event["event"] == "text_chunk":
                    spoken.set()

    asyncio.run(read())
    assert waits == [4.321]
    assert told.index("text_chunk ") < told.index("node_finished broken")
