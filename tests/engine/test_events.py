"""The events of a run: their shapes, their order, and what they never show."""

from __future__ import annotations

import http.server
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.graphs import chain_document, chat_document, document, edge, end, llm, node, template
from tests.engine.web_server import listening

WORKFLOW_ENVELOPE = ["event", "workflow_run_id", "task_id", "data"]
CHAT_ENVELOPE = ["event", "conversation_id", "message_id", "created_at", "task_id"]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_a_workflow_run_sends_its_events_in_order_with_the_workflow_envelope(bench: Any) -> None:
    definition = chain_document(template("shout", "{{ word | upper }}", word=["start", "word"]))
    definition["graph"]["nodes"][0]["data"]["variables"] = [
        {"variable": "word", "label": "Word", "type": "text-input", "required": True}
    ]
    app = bench.app(definition)
    run = bench.start(app, {"word": "bee"})
    events = bench.events(run)

    assert names(events) == [
        "workflow_started", "node_started", "node_finished", "node_started", "text_chunk", "node_finished",
        "node_started", "node_finished", "workflow_finished",
    ]  # fmt: skip
    for event in events:
        assert list(event) == WORKFLOW_ENVELOPE
        assert event["workflow_run_id"] == run.id
        assert event["task_id"] == run.task_id
    started, finished = events[0]["data"], events[-1]["data"]
    assert list(started) == ["id", "workflow_id", "inputs", "created_at", "reason"]
    assert started["inputs"] == {
        "word": "bee",
        "sys.files": [],
        "sys.user_id": bench.caller.account_id,
        "sys.app_id": app.id,
        "sys.workflow_id": app.published_id,
        "sys.workflow_run_id": run.id,
        "sys.timestamp": started["created_at"],
    }
    assert list(finished) == [
        "id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps",
        "created_by", "created_at", "finished_at", "exceptions_count", "files",
    ]  # fmt: skip
    assert (finished["status"], finished["outputs"], finished["total_steps"]) == (
        "succeeded",
        {"result": "BEE"},
        3,
    )
    assert finished["created_by"] == {
        "id": bench.caller.account_id,
        "name": "Ada",
        "email": "ada@mail.example",
    }
    assert finished["elapsed_time"] > 0


def test_node_events_carry_their_members_and_a_running_number(bench: Any) -> None:
    events = bench.run(chain_document(template("t", "x")))
    started = [e["data"] for e in events if e["event"] == "node_started"]
    finished = [e["data"] for e in events if e["event"] == "node_finished"]

    assert [data["index"] for data in started] == [1, 2, 3]
    assert list(started[0]) == [
        "id", "node_id", "node_type", "title", "index", "predecessor_node_id", "inputs", "created_at",
        "extras", "iteration_id", "iteration_index", "loop_id",
    ]  # fmt: skip
    assert list(finished[0]) == [
        "id", "node_id", "node_type", "title", "index", "predecessor_node_id", "inputs", "process_data",
        "outputs", "status", "error", "elapsed_time", "execution_metadata", "created_at", "finished_at",
        "files",
        "iteration_id", "iteration_index", "loop_id",
    ]  # fmt: skip
    assert [data["id"] for data in started] == [data["id"] for data in finished]
    assert started[1]["node_type"] == "template-transform"
    assert started[1]["title"] == "T"


def test_a_chat_ends_with_message_end_and_its_usage_before_workflow_finished(bench: Any) -> None:
    events = bench.run(chat_document(), query="Hi Bee")

    assert names(events)[-2:] == ["message_end", "workflow_finished"]
    for event in events:
        assert list(event)[:5] == CHAT_ENVELOPE
    messages = [event for event in events if event["event"] == "message"]
    assert "".join(message["answer"] for message in messages) == "echo: Hi Bee"
    assert messages[0]["from_variable_selector"] == ["llm", "text"]
    assert messages[0]["id"] == messages[0]["message_id"]
    usage = events[-2]["metadata"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert events[-2]["metadata"]["retriever_resources"] == []
    assert events[-1]["data"]["outputs"] == {"answer": "echo: Hi Bee", "files": []}
    assert events[-1]["data"]["total_tokens"] == usage["total_tokens"]
    inputs = events[0]["data"]["inputs"]
    assert (inputs["sys.query"], inputs["sys.dialogue_count"]) == ("Hi Bee", 1)
    assert "sys.conversation_id" not in inputs


def test_a_failing_node_tells_its_error_in_node_finished_and_workflow_finished(bench: Any) -> None:
    events = bench.run(chat_document(error="the model is asleep"))

    node_finished = [e["data"] for e in events if e["event"] == "node_finished"][-1]
    assert node_finished["status"] == "failed"
    assert "the model is asleep" in node_finished["error"]
    assert events[-1]["data"]["status"] == "failed"
    assert "the model is asleep" in events[-1]["data"]["error"]
    assert "Traceback" not in json.dumps(events)
    assert names(events).count("workflow_finished") == 1
    assert "error" not in names(events)


def test_an_unknown_node_fails_only_when_it_is_reached(bench: Any) -> None:
    condition = {"variable_selector": ["sys", "user_id"], "comparison_operator": "empty", "value": ""}
    nodes = [
        node("start", "start", variables=[]),
        node(
            "choose",
            "if-else",
            cases=[{"case_id": "yes", "logical_operator": "and", "conditions": [condition]}],
        ),
        node("odd", "teleporter"),
        template("t", "fine"),
        end(result=["t", "output"]),
    ]
    edges = [
        edge("start", "choose"),
        edge("choose", "odd", "yes"),
        edge("choose", "t", "false"),
        edge("t", "end"),
    ]
    assert bench.run(document(nodes, edges))[-1]["data"]["status"] == "succeeded"

    last = bench.run(chain_document(node("odd", "teleporter")))[-1]["data"]
    assert last["status"] == "failed"
    assert last["error"] == "Nodes of type 'teleporter' cannot run on this server"


def test_a_graph_that_goes_in_circles_is_told_with_its_circle(bench: Any) -> None:
    nodes = [node("start", "start", variables=[]), template("a", "x"), template("b", "y"), end()]
    circle = [edge("start", "a"), edge("a", "b"), edge("b", "a"), edge("b", "end")]
    last = bench.run(document(nodes, circle))[-1]["data"]
    assert last["error"] == "The workflow cannot be run: the graph contains a cycle: a -> b -> a"


def test_an_incomplete_node_says_what_is_missing_when_it_is_reached(bench: Any) -> None:
    last = bench.run(chain_document(node("llm", "llm", model={}), "text"))[-1]["data"]
    assert last["status"] == "failed"
    assert last["error"].startswith("The node is not complete: ")


@pytest.mark.parametrize("kind", ["loop", "teleporter"])
def test_an_incomplete_or_unknown_container_fails_when_it_is_reached(bench: Any, kind: str) -> None:
    nodes = [
        node("start", "start", variables=[]),
        node("box", kind, start_node_id="first"),
        node("first", "loop-start", "box", loop_id="box"),
        end(),
    ]
    last = bench.run(document(nodes, [edge("start", "box"), edge("box", "end")]))[-1]["data"]
    assert last["status"] == "failed"
    assert last["error"].startswith(("The node is not complete: ", "Nodes of type 'teleporter'"))


def test_a_code_node_with_a_default_value_makes_the_run_partly_succeed(bench: Any) -> None:
    defaults = [{"key": "result", "type": "string", "value": "instead"}]
    code = node("code", "code", error_strategy="default-value", default_value=defaults)
    events = bench.run(chain_document(code, "result"))

    states = [e["data"]["status"] for e in events if e["event"] == "node_finished"]
    assert states == ["succeeded", "exception", "succeeded"]
    last = events[-1]["data"]
    assert (last["status"], last["exceptions_count"]) == ("partial-succeeded", 1)
    assert last["outputs"] == {"result": "instead"}


def iteration_document(items: str, *inside: dict[str, Any], **data: Any) -> dict[str, Any]:
    """start → list of words (conversation default) → iteration over it → answer."""
    first = inside[0]["id"]
    nodes = [
        node("start", "start", variables=[]),
        node(
            "each",
            "iteration",
            start_node_id="each-start",
            iterator_selector=["conversation", items],
            output_selector=[inside[-1]["id"], "output"],
            output_type="array[string]",
            **data,
        ),
        node("each-start", "iteration-start", "each", iteration_id="each", isInIteration=True),
        *inside,
        node("answer", "answer", answer="{{#each.output#}}|{{#conversation.last#}}"),
    ]
    edges = [edge("start", "each"), edge("each-start", first), edge("each", "answer")]
    edges += [edge(a["id"], b["id"]) for a, b in itertools.pairwise(inside)]
    words = {"id": "w", "name": "words", "value_type": "array[string]", "value": ["a", "b"]}
    none = {"id": "n", "name": "none", "value_type": "array[string]", "value": []}
    last = {"id": "l", "name": "last", "value_type": "string", "value": "-"}
    return document(nodes, edges, "advanced-chat", conversation_variables=[words, none, last])


def inner(kind: dict[str, Any]) -> dict[str, Any]:
    kind["parentId"] = "each"
    kind["data"] |= {"iteration_id": "each", "isInIteration": True}
    return kind


def test_an_iteration_stands_for_its_node_and_its_children_name_it(bench: Any) -> None:
    definition = iteration_document("words", inner(template("up", "{{ item | upper }}", item=["each", "item"])))
    events = bench.run(definition)

    assert [name for name in names(events) if name.startswith("iteration")] == [
        "iteration_started", "iteration_next", "iteration_next", "iteration_completed",
    ]  # fmt: skip
    by_name = {event["event"]: event.get("data") for event in events}
    started, completed = by_name["iteration_started"], by_name["iteration_completed"]
    assert (started["id"], started["node_id"], started["node_type"]) == ("each", "each", "iteration")
    assert started["metadata"]["iteration_length"] == 2
    assert started["inputs"] == {"iterator_selector": ["a", "b"]}
    assert [e["data"]["index"] for e in events if e["event"] == "iteration_next"] == [0, 1]
    assert completed["outputs"] == {"output": ["A", "B"]}
    assert (completed["status"], completed["error"], completed["steps"]) == ("succeeded", None, 2)
    assert "iteration_duration_map" in completed["execution_metadata"]
    nodes = [e["data"] for e in events if e["event"] == "node_started"]
    assert [data["node_id"] for data in nodes] == ["start", "up", "up", "answer"]
    assert [data["iteration_id"] for data in nodes] == [None, "each", "each", None]
    assert [data["iteration_index"] for data in nodes] == [None, 0, 1, None]
    assert len({data["id"] for data in nodes}) == 4


def test_nodes_of_rounds_that_run_side_by_side_name_their_round(bench: Any) -> None:
    picky = inner(node("picky", "code", code_language="python3", outputs={"out": {"type": "string"}},
        variables=[{"variable": "item", "value_selector": ["each", "item"]}],
        code="def main(item):\n    return {'out': item} if item == 'a' else {}['is not a']"))  # fmt: skip
    definition = iteration_document("words", picky, inner(template("up", "{{ x }}", x=["picky", "out"])))
    each = next(one for one in definition["graph"]["nodes"] if one["id"] == "each")
    each["data"] |= {"is_parallel": True, "parallel_nums": 2, "error_handle_mode": "continue-on-error"}
    events = bench.run(definition)
    told = sorted(
        (e["data"]["node_id"], e["data"]["iteration_index"], e["data"]["status"])
        for e in events
        if e["event"] == "node_finished" and e["data"]["iteration_id"]
    )
    assert told == [("picky", 0, "succeeded"), ("picky", 1, "failed"), ("up", 0, "succeeded")]
    started = {e["data"]["id"]: e["data"]["iteration_index"] for e in events if e["event"] == "node_started"}
    finished = {e["data"]["id"]: e["data"]["iteration_index"] for e in events if e["event"] == "node_finished"}
    assert started == finished


def test_an_empty_list_makes_no_iteration_events(bench: Any) -> None:
    definition = iteration_document("none", inner(template("up", "{{ item }}", item=["each", "item"])))
    events = bench.run(definition)
    assert not [name for name in names(events) if name.startswith("iteration")]
    assert events[-1]["data"]["status"] == "succeeded"


def test_a_conversation_variable_written_inside_an_iteration_is_seen_after_it(bench: Any) -> None:
    write = node(
        "write",
        "assigner",
        version="2",
        items=[
            {
                "variable_selector": ["conversation", "last"],
                "input_type": "variable",
                "operation": "over-write",
                "value": ["each", "item"],
            }
        ],
    )
    definition = iteration_document("words", inner(write), inner(template("up", "x")))
    events = bench.run(definition)
    assert events[-1]["data"]["outputs"]["answer"].endswith("|b")


def test_a_loop_tells_each_round_and_its_end(bench: Any) -> None:
    nodes = [
        node("start", "start", variables=[]),
        node(
            "again",
            "loop",
            start_node_id="again-start",
            loop_count=2,
            break_conditions=[],
            logical_operator="and",
            loop_variables=[{"label": "n", "var_type": "number", "value_type": "constant", "value": 7}],
        ),
        node("again-start", "loop-start", "again", loop_id="again", isInLoop=True),
        node("t", "template-transform", "again", template="x", variables=[], loop_id="again", isInLoop=True),
        end(n=["again", "n"]),
    ]
    events = bench.run(document(nodes, [edge("start", "again"), edge("again-start", "t"), edge("again", "end")]))

    loop = [event for event in events if event["event"].startswith("loop")]
    assert names(loop)[0] == "loop_started"
    assert names(loop)[-1] == "loop_completed"
    assert loop[0]["data"]["metadata"]["loop_length"] == 2
    assert [e["data"]["index"] for e in loop if e["event"] == "loop_next"] == [1, 2]
    assert all(e["data"]["pre_loop_output"] == {} for e in loop if e["event"] == "loop_next")
    assert loop[-1]["data"]["execution_metadata"]["completed_reason"] == "loop_completed"
    inside = [e["data"] for e in events if e["event"] == "node_started" and e["data"]["node_id"] == "t"]
    assert [data["loop_id"] for data in inside] == ["again", "again"]
    assert events[-1]["data"]["outputs"] == {"n": 7}


@pytest.fixture
def flaky_server() -> Iterator[str]:
    """An HTTP server whose every third answer is good."""
    count = {"n": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            count["n"] += 1
            body = json.dumps({"asked": self.headers.get("X-Key", "")}).encode()
            self.send_response(200 if count["n"] % 3 == 0 else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with listening(Handler) as url:
        yield f"{url}/"


def http_node(url: str, **data: Any) -> dict[str, Any]:
    base = {
        "method": "get",
        "url": url,
        "authorization": {"type": "no-auth"},
        "headers": "X-Key:{{#env.KEY#}}",
        "params": "",
        "body": {"type": "none", "data": []},
        "timeout": {},
    }
    return node("fetch", "http-request", **{**base, **data})


def test_retries_are_told_in_full_and_never_show_a_secret(bench: Any, configure: Any, flaky_server: str) -> None:
    configure(allow_private_addresses=True)
    retry = {"retry_enabled": True, "max_retries": 3, "retry_interval": 10}
    secret = {"id": "k", "name": "KEY", "value_type": "secret", "value": "s3cret-value"}
    definition = chain_document(http_node(flaky_server, retry_config=retry), "body", environment_variables=[secret])
    events = bench.run(definition)

    retries = [event["data"] for event in events if event["event"] == "node_retry"]
    assert [data["retry_index"] for data in retries] == [1, 2]
    assert all(data["status"] == "retry" and data["error"] for data in retries)
    assert all("inputs_truncated" in data and "outputs_truncated" in data for data in retries)
    started = [e["data"]["id"] for e in events if e["event"] == "node_started"]
    assert retries[0]["id"] in started
    assert len(started) == len(set(started)) == 3
    assert "s3cret-value" not in json.dumps(events)


def test_environment_values_are_not_among_the_inputs_told(bench: Any) -> None:
    plain = {"id": "p", "name": "PLAIN", "value_type": "string", "value": "for-the-author-only"}
    events = bench.run(chain_document(template("t", "x"), environment_variables=[plain]))
    assert "for-the-author-only" not in json.dumps(events)


def test_a_list_operator_and_an_aggregator_work_on_typed_variables(bench: Any) -> None:
    numbers = {"id": "n", "name": "NUMBERS", "value_type": "array[number]", "value": [3, 1, 2]}
    operator = node(
        "sort",
        "list-operator",
        variable=["conversation", "NUMBERS"],
        filter_by={"enabled": False, "conditions": []},
        extract_by={"enabled": False, "serial": "1"},
        order_by={"enabled": True, "key": "", "value": "desc"},
        limit={"enabled": True, "size": 2},
    )
    pick = node(
        "pick",
        "variable-aggregator",
        output_type="array[number]",
        variables=[["nope", "x"], ["sort", "result"]],
    )
    nodes = [
        node("start", "start", variables=[]),
        operator,
        pick,
        node("answer", "answer", answer="{{#pick.output#}}"),
    ]
    edges = [edge("start", "sort"), edge("sort", "pick"), edge("pick", "answer")]
    events = bench.run(document(nodes, edges, "advanced-chat", conversation_variables=[numbers]))
    assert events[-1]["data"]["status"] == "succeeded", events[-1]["data"]["error"]
    assert events[-1]["data"]["outputs"]["answer"].split() == ["-", "3", "-", "2"]


def test_parallel_models_that_wait_run_side_by_side(bench: Any) -> None:
    nodes = [
        node("start", "start", variables=[]),
        llm("one", "a b c", delay_ms=100),
        llm("two", "a b c", delay_ms=100),
        end(one=["one", "text"], two=["two", "text"]),
    ]
    edges = [edge("start", "one"), edge("start", "two"), edge("one", "end"), edge("two", "end")]
    events = bench.run(document(nodes, edges))
    assert events[-1]["data"]["outputs"] == {"one": "echo: a b c", "two": "echo: a b c"}
    told = [(event["event"], event["data"]["node_id"]) for event in events if event["event"].startswith("node_")]
    both_begun = max(told.index(("node_started", name)) for name in ("one", "two"))
    assert both_begun < min(told.index(("node_finished", name)) for name in ("one", "two"))
