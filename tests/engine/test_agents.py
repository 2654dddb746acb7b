"""Agent-chat apps: rounds, thoughts, tools, both strategies, and every way in which it can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine import runs
from store import events as stored
from tests.engine.chat_server import KEY, ChatServer, serving
from tests.engine.conftest import Bench
from tests.engine.test_easy_modes import answer, config, names
from tests.engine.test_openai_model import table

TIME = {"provider_type": "builtin", "provider_id": "time", "tool_name": "weekday", "enabled": True}
DATE = {"year": 2026, "month": 11, "day": 23}
SUM = {"provider_type": "builtin", "provider_id": "langgenius/maths/maths", "tool_name": "eval_expression"}


def agent(
    script: dict[str, Any], *tools: dict[str, Any], strategy: str = "function_call", rounds: int = 5, **more: Any
) -> dict[str, Any]:
    mode = {"enabled": True, "strategy": strategy, "max_iteration": rounds, "tools": list(tools), "prompt": None}
    return {"mode": "agent-chat", "model_config": config("Be short.", parameters=script, agent_mode=mode, **more)}


def thoughts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == "agent_thought"]


@pytest.mark.parametrize("strategy", ["function_call", "react"])
def test_an_agent_calls_a_tool_and_answers_with_what_it_gave(bench: Bench, strategy: str) -> None:
    script = {"tool_calls": [{"name": "weekday", "arguments": DATE}]}
    run = bench.start(bench.app(agent(script, TIME, strategy=strategy)), query="Which day?")
    events = bench.events(run)
    told = "November 23, 2026 is Monday."
    assert answer(events) == f"echo: {told}"
    assert [name for index, name in enumerate(names(events)) if index == 0 or name != names(events)[index - 1]] == [
        "agent_thought", "agent_message", "agent_thought", "message_end",
    ]  # fmt: skip
    assert [event["position"] for event in thoughts(events)] == [1, 1, 1, 2, 2]
    made, chose, observed, _, last = thoughts(events)
    assert made["id"] == chose["id"] == observed["id"] != last["id"]
    assert (made["tool"], made["observation"]) == ("", "")
    assert (chose["tool"], chose["observation"]) == ("weekday", "")
    assert json.loads(chose["tool_input"]) == {"weekday": DATE}
    assert chose["tool_labels"]["weekday"]["en_US"] == "Weekday"
    assert json.loads(observed["observation"]) == {"weekday": told}
    assert (last["tool"], last["tool_input"]) == ("", "")
    assert bench.stored(run).outputs == {"answer": f"echo: {told}", "files": []}
    assert events[-1]["metadata"]["usage"]["total_tokens"] > 0


def test_what_an_agent_says_in_every_round_is_streamed(bench: Bench) -> None:
    script = {
        "turns": [
            {"answer": "Let me see. ", "tool_calls": [{"name": "weekday", "arguments": DATE}]},
            {"answer": "It is Monday."},
        ]
    }
    run = bench.start(bench.app(agent(script, TIME)), query="Which day?")
    events = bench.events(run)
    assert answer(events) == "Let me see. It is Monday."
    first = names(events).index("agent_message")
    assert names(events)[first - 1] == "agent_thought"
    assert bench.stored(run).outputs["answer"] == "Let me see. It is Monday."


def test_two_calls_in_one_round_are_both_told(bench: Bench) -> None:
    calls = [
        {"name": "eval_expression", "arguments": {"expression": "6*7"}},
        {"name": "eval_expression", "arguments": {"expression": "2**5"}},
        {"name": "weekday", "arguments": DATE},
    ]
    events = bench.run(agent({"tool_calls": calls}, TIME, SUM), query="All of it")
    observed = thoughts(events)[2]
    assert observed["tool"] == "eval_expression;eval_expression;weekday"
    assert json.loads(observed["observation"]) == {
        "eval_expression": "42",
        "eval_expression (2)": "32",
        "weekday": "November 23, 2026 is Monday.",
    }
    assert answer(events) == "echo: 42 32 November 23, 2026 is Monday."


@pytest.mark.parametrize("strategy", ["function_call", "react"])
@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"name": "nowhere", "arguments": {}}, "There is no tool 'nowhere'; there are: weekday"),
        ({"name": "weekday", "arguments": "{not json"}, "The arguments of 'weekday' must be a JSON object"),
        ({"name": "weekday", "arguments": {"year": "soon"}}, "must be of type integer"),
        ({"name": "weekday", "arguments": {"month": 13}}, "There is no such day"),
    ],
)
def test_a_call_that_fails_is_told_to_the_model_which_goes_on(
    bench: Bench, call: dict[str, Any], told: str, strategy: str
) -> None:
    events = bench.run(agent({"tool_calls": [call]}, TIME, strategy=strategy), query="Try")
    assert told in json.loads(thoughts(events)[2]["observation"])[call["name"]]
    assert names(events)[-1] == "message_end"
    assert told in answer(events)


@pytest.mark.parametrize("strategy", ["react"])
def test_an_agent_that_never_answers_gives_up_after_its_rounds(bench: Bench, strategy: str) -> None:
    again = {"tool_calls": [{"name": "weekday", "arguments": DATE}]}
    events = bench.run(agent({"turns": [again] * 10}, TIME, strategy=strategy, rounds=3), query="Try")
    assert [event["position"] for event in thoughts(events)][-1] == 4
    assert (events[-1]["event"], events[-1]["code"], events[-1]["status"]) == ("error", "internal_server_error", 500)
    assert events[-1]["message"] == "The agent did not come to an answer within 3 rounds"


def test_in_its_last_round_an_agent_is_offered_no_tools(bench: Bench) -> None:
    again = {"tool_calls": [{"name": "weekday", "arguments": DATE}]}
    events = bench.run(agent({"turns": [again] * 10}, TIME, rounds=2), query="Try")
    assert [event["position"] for event in thoughts(events)] == [1, 1, 1, 2, 2, 2, 3, 3]
    assert names(events)[-1] == "message_end"


def test_a_tool_that_is_not_here_ends_the_run_and_says_how_to_add_it(bench: Bench) -> None:
    weather = {"provider_type": "api", "provider_id": "x", "provider_name": "weather", "tool_name": "forecast"}
    events = bench.run(agent({}, weather), query="Rain?")
    assert names(events) == ["error"]
    assert (events[0]["code"], events[0]["status"]) == ("app_unavailable", 400)
    assert "difyspec tools import FILE --name weather" in events[0]["message"]


def test_an_agent_without_tools_answers_at_once_with_either_strategy(bench: Bench) -> None:
    for strategy in ("function_call", "react"):
        events = bench.run(agent({}, strategy=strategy), query="Move house")
        assert answer(events) == "echo: Move house"
        assert len(thoughts(events)) == 2


def test_what_the_author_gave_a_tool_is_not_the_models_to_change(bench: Bench, prompts: Any) -> None:
    fixed = {**TIME, "tool_parameters": {"year": "2000", "month": None, "day": ""}}
    call = {"name": "weekday", "arguments": DATE}
    events = bench.run(agent({"tool_calls": [call]}, fixed), query="Which day?")
    assert answer(events) == "echo: November 23, 2000 is Thursday."


def test_an_agent_knows_what_was_said_before(bench: Bench, prompts: Any) -> None:
    app = bench.app(agent({}, TIME))
    first = bench.start(app, query="one")
    bench.events(first)
    bench.events(bench.start(app, query="two", conversation_id=first.conversation_id))
    assert prompts[-1] == [("system", "Be short."), ("user", "one"), ("assistant", "echo: one"), ("user", "two")]


def test_an_authors_own_react_prompt_is_used(bench: Bench, prompts: Any) -> None:
    app = agent({}, TIME, strategy="react")
    first = "{{instruction}} Tools: {{tools}} Names: {{tool_names}}. End with Final Answer. {{query}}{{other}}"
    app["model_config"]["agent_mode"]["prompt"] = {"first_prompt": first, "next_iteration": "{{observation}}"}
    bench.run(app, query="one")
    role, text = prompts[0][0]
    assert role == "system"
    assert text.startswith('Be short. Tools: [{"name": "weekday"')
    assert text.endswith("Names: weekday, Final Answer. End with Final Answer. {{other}}")


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("CHAT_KEY", KEY)
    with serving() as server:
        yield server


def test_an_agent_works_with_a_model_behind_http(
    bench: Bench, configure: Callable[..., None], chat: ChatServer
) -> None:
    configure(models=table(chat, "agent"))
    events = bench.run(agent({}, TIME), query="Which day?")
    assert answer(events) == "Let me see. It is Monday."
    assert [event["thought"] for event in thoughts(events)] == ["", *["Let me see. "] * 2, "", "It is Monday."]
    first, second = chat.requests
    assert first["tools"][0]["function"]["name"] == "weekday"
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][2]["tool_calls"][0]["id"] == second["messages"][3]["tool_call_id"] == "a"
    assert second["messages"][3]["content"] == "November 23, 2026 is Monday."
    assert events[-1]["metadata"]["usage"] == {"prompt_tokens": 22, "completion_tokens": 14, "total_tokens": 36}


def test_what_a_model_thinks_to_itself_is_no_action(
    bench: Bench, configure: Callable[..., None], chat: ChatServer
) -> None:
    configure(models=table(chat, "react"))
    events = bench.run(agent({}, TIME, strategy="react"), query="Which day?")
    assert answer(events) == "It is Monday."
    assert names(events).count("agent_message") == 2
    assert [event["thought"] for event in thoughts(events)] == ["", *["I look."] * 2, "", "I know."]
    assert chat.requests[0]["stop"] == ["Observation:"]
    assert "tools" not in chat.requests[0]


def test_stop_ends_an_agent_between_and_within_its_rounds(bench: Bench, soon: Callable[..., Any]) -> None:
    script = {"tool_calls": [{"name": "weekday", "arguments": DATE}], "answer": "a b c d e f g h i j", "delay_ms": 100}
    run = bench.start(bench.app(agent({"turns": [script] * 50}, TIME, rounds=90)), query="go")
    soon(lambda: stored.last_seq(run.id) >= 16)
    runs.stop(bench.stored(run))
    events = bench.events(run)
    assert names(events)[-1] == "message_end"
    assert bench.stored(run).status == "stopped"


def test_a_model_that_fails_in_a_later_round_ends_the_run_with_its_error(bench: Bench) -> None:
    script = {"turns": [{"tool_calls": [{"name": "weekday", "arguments": DATE}]}, {"error": "quota"}]}
    events = bench.run(agent(script, TIME), query="go")
    assert len(thoughts(events)) == 4
    assert (events[-1]["event"], events[-1]["code"]) == ("error", "completion_request_error")
    assert "quota" in events[-1]["message"]


@pytest.mark.parametrize("said", ["one two three four", "Observation: it rains now", "a } b { c"])
def test_a_react_answer_arrives_in_pieces_and_once(bench: Bench, said: str) -> None:
    written = json.dumps({"action": "Final Answer", "action_input": said})
    script = {"answer": f"Thought: I know.\nAction:\n```json\n{written}\n```"}
    events = bench.run(agent(script, strategy="react"), query="?")
    assert answer(events) == said
    assert names(events).count("agent_message") > 1
    assert events[-1]["event"] == "message_end"


def test_an_agent_sends_the_same_events_on_every_repetition(bench: Bench) -> None:
    calls = [{"name": "weekday", "arguments": DATE}, {"name": "eval_expression", "arguments": {"expression": "1+1"}}]
    app = bench.app(agent({"answer": "one two three", "turns": [{"tool_calls": calls}, {"answer": "done"}]}, TIME, SUM))
    seen = set()
    for _ in range(20):
        events = bench.events(bench.start(app, query="go"))
        seen.add(json.dumps([(e["event"], e.get("answer"), e.get("tool"), e.get("observation")) for e in events]))
    assert len(seen) == 1
