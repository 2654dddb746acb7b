"""Tool nodes and agent nodes in workflows: what they give, what they log, and how they fail."""

from __future__ import annotations

from typing import Any

import pytest

from engine.models.table import ModelTable
from engine.running.workers import workers_for
from tests.engine.conftest import Bench
from tests.engine.graphs import document, edge, node

TEXT = {"variable": "text", "label": "Text", "type": "text-input", "required": False}


def tool(name: str, provider: str, tool_name: str, configurations: Any = None, **parameters: Any) -> dict[str, Any]:
    return node(
        name, "tool", provider_id=provider, provider_type="builtin", provider_name=provider, tool_name=tool_name,
        tool_label=tool_name, tool_configurations=configurations or {},
        tool_parameters={key: {"type": kind, "value": value} for key, (kind, value) in parameters.items()},
    )  # fmt: skip


def flow(middle: dict[str, Any], *outputs: str, **extra: Any) -> dict[str, Any]:
    chosen = [{"variable": name, "value_selector": [middle["id"], name]} for name in outputs]
    nodes = [node("begin", "start", variables=[TEXT]), middle, node("finish", "end", outputs=chosen)]
    return document(nodes, [edge("begin", middle["id"]), edge(middle["id"], "finish")], **extra)


def last(events: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(events[-1]["data"])


def test_a_tool_gets_variables_templates_and_constants(bench: Bench) -> None:
    made = tool(
        "t", "text", "replace",
        text=("variable", ["begin", "text"]), find=("mixed", "{{#begin.text#}}"), replacement=("constant", "wasp"),
    )  # fmt: skip
    end = last(bench.run(flow(made, "text", "json", "files"), {"text": "bee"}))
    assert end["outputs"] == {"text": "wasp", "json": [{"data": []}], "files": []}
    assert end["total_tokens"] == 0


def test_a_value_behind_the_text_is_in_json(bench: Bench) -> None:
    made = tool("t", "json_process", "parse", content=("mixed", '{"said": "{{#begin.text#}}"}'))
    assert last(bench.run(flow(made, "json"), {"text": "hi"}))["outputs"] == {"json": [{"said": "hi"}]}


def test_settings_of_the_author_are_arguments_too(bench: Bench) -> None:
    made = tool("t", "text", "change", {"operation": "upper"}, text=("mixed", "{{#begin.text#}}"))
    assert last(bench.run(flow(made, "text"), {"text": "hi"}))["outputs"] == {"text": "HI"}


def test_a_tool_that_refuses_fails_its_node_with_the_reason(bench: Bench) -> None:
    made = tool("t", "maths", "eval_expression", expression=("mixed", "1/{{#begin.text#}}"))
    end = last(bench.run(flow(made, "text"), {"text": "0"}))
    assert end["status"] == "failed"
    assert "division by zero" in end["error"]


def test_a_tool_that_is_not_here_fails_only_when_it_is_reached_and_says_what_to_do(bench: Bench) -> None:
    made = tool("t", "weather", "forecast", city=("mixed", "Oslo"))
    end = last(bench.run(flow(made, "text")))
    assert end["status"] == "failed"
    assert "difyspec tools import FILE --name weather" in end["error"]
    made["data"] |= {
        "error_strategy": "default-value",
        "default_value": [{"key": "text", "type": "string", "value": "dry"}],
    }
    end = last(bench.run(flow(made, "text")))
    assert (end["status"], end["outputs"]) == ("partial-succeeded", {"text": "dry"})


def agent(script: dict[str, Any], strategy: str = "function_calling", tools: list[Any] | None = None) -> dict[str, Any]:
    model = {"provider": "echo", "model": "echo", "model_type": "llm", "completion_params": script}
    weekday = {
        "provider_name": "langgenius/time/time", "tool_name": "weekday", "enabled": True, "type": "builtin",
        "parameters": {"month": {"auto": 1, "value": None}, "day": {"auto": 1, "value": None}},
        "settings": {"year": {"value": {"type": "constant", "value": 2026}}},
    }  # fmt: skip
    return node(
        "helper", "agent", agent_strategy_provider_name="langgenius/agent/agent", agent_strategy_name=strategy,
        agent_parameters={
            "model": {"type": "constant", "value": model},
            "tools": {"type": "constant", "value": [weekday] if tools is None else tools},
            "instruction": {"type": "mixed", "value": "Help {{#begin.text#}}."},
            "query": {"type": "variable", "value": ["begin", "text"]},
            "maximum_iterations": {"type": "constant", "value": 2},
        },
    )  # fmt: skip


CALL = {"tool_calls": [{"name": "weekday", "arguments": {"month": 11, "day": 23}}]}


def logs(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["event"] == "agent_log"]


def test_an_agent_node_streams_its_answer_and_logs_its_rounds_as_a_tree(bench: Bench) -> None:
    for strategy in ("function_calling", "ReAct"):
        events = bench.run(flow(agent(CALL, strategy), "text", "json"), {"text": "ada"})
        said = "".join(e["data"]["text"] for e in events if e["event"] == "text_chunk")
        assert said.startswith("echo: November 23, 2026 is Monday.")
        assert last(events)["outputs"]["text"] == "echo: November 23, 2026 is Monday."
        assert last(events)["total_tokens"] > 0
        assert [(log["label"], log["status"]) for log in logs(events)] == [
            ("ROUND 1", "start"), ("echo Thought", "start"), ("echo Thought", "success"),
            ("CALL weekday", "start"), ("CALL weekday", "success"), ("ROUND 1", "success"),
            ("ROUND 2", "start"), ("echo Thought", "start"), ("echo Thought", "success"), ("ROUND 2", "success"),
        ]  # fmt: skip
        rounds = [log for log in logs(events) if log["label"] == "ROUND 1"]
        assert rounds[0]["id"] == rounds[1]["id"]
        assert rounds[0]["parent_id"] is None
        inside = [log for log in logs(events) if log["parent_id"] == rounds[0]["id"]]
        assert {log["label"] for log in inside} == {"echo Thought", "CALL weekday"}
        started = next(
            e["data"]["id"] for e in events if e["event"] == "node_started" and e["data"]["node_id"] == "helper"
        )
        assert {log["node_execution_id"] for log in logs(events)} == {started}


def test_two_calls_of_one_tool_in_a_round_are_both_logged(bench: Bench) -> None:
    calls = [{"name": "weekday", "arguments": {"month": 11, "day": day}} for day in (23, 24)]
    calls.append({"name": "weekday", "arguments": {}})
    made = logs(bench.run(flow(agent({"tool_calls": calls}), "text"), {"text": "ada"}))
    called = [log["data"]["arguments"] for log in made if log["label"] == "CALL weekday"]
    assert called == [call["arguments"] for call in calls for _ in ("start", "success")]
    ended = next(log for log in made if (log["label"], log["status"]) == ("ROUND 1", "success"))
    assert list(ended["data"]["observation"]) == ["weekday", "weekday (2)", "weekday (3)"]
    assert ended["data"]["observation"]["weekday (2)"] == "November 24, 2026 is Tuesday."


def test_an_agent_node_in_a_chat_answers_in_messages(bench: Bench, prompts: Any) -> None:
    made = agent(CALL)
    made["data"]["agent_parameters"]["query"] = {"type": "mixed", "value": "{{#sys.query#}}"}
    made["data"]["memory"] = {"window": {"enabled": True, "size": 2}, "query_prompt_template": ""}
    nodes = [node("begin", "start", variables=[TEXT]), made, node("say", "answer", answer="So: {{#helper.text#}}")]
    app = bench.app(document(nodes, [edge("begin", "helper"), edge("helper", "say")], mode="advanced-chat"))
    first = bench.start(app, {"text": "ada"}, query="one")
    events = bench.events(first)
    assert "".join(e["answer"] for e in events if e["event"] == "message").startswith("So: echo: November 23")
    for query in ("two", "three"):
        bench.events(bench.start(app, {"text": "ada"}, query=query, conversation_id=first.conversation_id))
    assert [text for role, text in prompts[-2] if role == "user"] == ["two", "three"]


def test_an_agent_node_that_fails_closes_its_log_and_its_error_is_told(bench: Bench) -> None:
    events = bench.run(flow(agent({"error": "asleep"}), "text"), {"text": "ada"})
    assert [(log["label"], log["status"]) for log in logs(events)][-2:] == [
        ("echo Thought", "error"), ("ROUND 1", "error"),
    ]  # fmt: skip
    assert last(events)["status"] == "failed"
    assert "asleep" in last(events)["error"]


def test_an_agent_node_whose_tool_is_missing_says_how_to_add_it(bench: Bench) -> None:
    missing = {"provider_name": "weather", "tool_name": "forecast", "enabled": True}
    end = last(bench.run(flow(agent({}, tools=[missing]), "text"), {"text": "ada"}))
    assert "difyspec tools import FILE --name weather" in end["error"]


SLOW = {"provider": "echo", "name": "echo", "completion_params": {"delay_ms": 1}}
WEATHER = {"provider_id": "x", "provider_name": "weather", "tool_name": "forecast"}
PAGE = {"provider_id": "webscraper", "provider_name": "webscraper", "tool_name": "webscraper"}
CLOCK = {"provider_id": "time", "provider_name": "time", "tool_name": "weekday"}


@pytest.mark.parametrize(
    ("kind", "data", "most"),
    [
        ("agent", {"agent_parameters": {"model": {"type": "constant", "value": SLOW}}}, 4),
        ("agent", agent({})["data"], 1),
        ("llm", {"model": SLOW}, 4),
        ("tool", WEATHER, 4),
        ("tool", PAGE, 4),
        ("tool", CLOCK, 1),
    ],
)
def test_branches_that_wait_for_something_outside_work_side_by_side(kind: str, data: dict[str, Any], most: int) -> None:
    nodes = [node("begin", "start"), *({"id": name, "data": {**data, "type": kind}} for name in ("left", "right"))]
    graph = {"nodes": nodes, "edges": [edge("begin", "left"), edge("begin", "right")]}
    assert workers_for(graph, ModelTable()) == most
