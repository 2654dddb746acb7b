"""Apps without a workflow: chat and completion, from their prompt to the last event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine import runs
from store import app_changes, apps, conversations
from store import events as stored
from store.refusal import Refusal
from tests.engine.conftest import Bench, make_caller
from tests.engine.graphs import chat_document, document, edge, llm
from tests.engine.graphs import node as graph_node


def config(pre_prompt: str = "", form: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A model configuration on the echo model; ``model`` members other than these go into its parameters."""
    parameters = more.pop("parameters", {})
    return {
        "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": parameters},
        "prompt_type": "simple",
        "pre_prompt": pre_prompt,
        "user_input_form": form or [],
        **more,
    }


def easy(mode: str = "chat", *args: Any, **more: Any) -> dict[str, Any]:
    return {"mode": mode, "model_config": config(*args, **more)}


NAME = [{"text-input": {"variable": "name", "label": "Name", "required": True}}]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def answer(events: list[dict[str, Any]]) -> str:
    return "".join(event["answer"] for event in events if event["event"] in ("message", "agent_message"))


def test_a_chat_tells_its_answer_and_how_it_ended_and_nothing_of_nodes(bench: Bench) -> None:
    run = bench.start(bench.app(easy("chat", "You are {{name}}.", NAME)), {"name": "Bea"}, query="hello big world")
    events = bench.events(run)
    assert names(events) == ["message"] * 4 + ["message_end"]
    assert answer(events) == "echo: hello big world"
    first, last = events[0], events[-1]
    assert set(first) == {
        "event", "conversation_id", "message_id", "created_at", "task_id", "id", "answer", "from_variable_selector",
    }  # fmt: skip
    assert first["from_variable_selector"] is None
    assert {event["message_id"] for event in events} == {run.message_id}
    assert last["metadata"]["usage"]["total_tokens"] > 0
    assert last["files"] is None
    stored_run = bench.stored(run)
    assert (stored_run.status, stored_run.outputs) == ("succeeded", {"answer": "echo: hello big world", "files": []})


def test_a_completion_has_a_message_but_no_conversation(bench: Bench, prompts: Any) -> None:
    events = bench.run(easy("completion", "Greet {{name}}", NAME), {"name": "Bea"}, conversation_id=None)
    assert answer(events) == "echo: Greet Bea"
    assert all("conversation_id" not in event and "message_id" in event for event in events)
    assert prompts == [[("user", "Greet Bea")]]


def test_a_completion_with_a_query_is_told_its_prompt_first(bench: Bench, prompts: Any) -> None:
    bench.run(easy("completion", "Be brief."), query="What is a bee?")
    assert prompts == [[("system", "Be brief."), ("user", "What is a bee?")]]


def test_the_prompt_comes_first_then_what_was_said_then_the_question(bench: Bench, prompts: Any) -> None:
    app = bench.app(easy("chat", "You are {{name}}.", NAME))
    first = bench.start(app, {"name": "Bea"}, query="one")
    bench.events(first)
    bench.events(bench.start(app, {"name": "Bea"}, query="two", conversation_id=first.conversation_id))
    assert prompts[1] == [("system", "You are Bea."), ("user", "one"), ("assistant", "echo: one"), ("user", "two")]


@pytest.mark.parametrize(
    ("query", "asked"),
    [("plain", "Asked: plain"), ("{{#env.KEY#}} {{name}}", "Asked: {{#env.KEY#}} {{name}}")],
)
def test_an_advanced_prompt_keeps_its_roles_and_puts_the_question_last(
    bench: Bench, prompts: Any, query: str, asked: str
) -> None:
    messages = [
        {"role": "system", "text": "For {{name}}{{#histories#}}, {{nobody}} {{#context#}}"},
        {"role": "user", "text": "Asked: {{#query#}}"},
    ]
    app = bench.app(easy("chat", "", NAME, prompt_type="advanced", chat_prompt_config={"prompt": messages}))
    bench.events(bench.start(app, {"name": "{{#sys.user_id#}}"}, query=query))
    assert prompts == [[("system", "For {{#sys.user_id#}}, {{nobody}} "), ("user", asked)]]


def test_what_does_not_fit_the_context_is_forgotten_from_the_oldest_side(
    bench: Bench, prompts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.base.BaseModelAdapter.context_tokens", 240)
    app = bench.app(easy("chat"))
    first = bench.start(app, query="a" * 100)
    bench.events(first)
    for letter in "bcd":
        bench.events(bench.start(app, query=letter * 100, conversation_id=first.conversation_id))
    roles = [text[0] for role, text in prompts[-1] if role == "user"]
    assert roles == ["c", "d"]


LETTERS = "{{#begin.letters#}}"


@pytest.mark.parametrize(
    ("prompt", "answer_tokens", "remembered"),
    [("", 1, 9), ("", 100, 6), ("", 100_000, 4), (LETTERS, 1, 6), (LETTERS * 2, 1, 2)],
)
def test_a_history_leaves_room_for_the_prompt_as_it_is_filled_in_and_for_the_answer(
    bench: Bench, prompts: Any, monkeypatch: pytest.MonkeyPatch, prompt: str, answer_tokens: int, remembered: int
) -> None:
    monkeypatch.setattr("engine.models.base.BaseModelAdapter.context_tokens", 280)
    variables = [{"variable": "letters", "type": "paragraph", "label": "l", "required": False}]
    talk = llm("talk", f"Be kind. {prompt}", answer="雨" * 20, max_tokens=answer_tokens)
    talk["data"]["prompt_template"][0]["role"] = "system"
    talk["data"]["memory"] = {"window": {"enabled": False, "size": 50}, "query_prompt_template": ""}
    say = graph_node("say", "answer", answer="{{#talk.text#}}")
    nodes = [graph_node("begin", "start", variables=variables), talk, say]
    app = bench.app(document(nodes, [edge("begin", "talk"), edge("talk", "say")], "advanced-chat"))
    run = bench.start(app, query="?")
    for _ in range(10):
        bench.events(run)
        run = bench.start(app, {"letters": "x" * 400}, query="?", conversation_id=run.conversation_id)
    bench.events(run)
    assert sum(role == "assistant" for role, _ in prompts[-1]) == remembered


@pytest.mark.parametrize(
    ("prompt", "first", "second"),
    [
        ("Be kind.\n{{#histories#}}\nNow: {{#sys.query#}}", "Be kind.\n\nNow: {{#env.X#}}", "Be kind.\n{}\nNow: two"),
        ("Be kind.", "\nBe kind.\n{{#env.X#}}", "{}\nBe kind.\ntwo"),
    ],
)
def test_a_prompt_that_is_one_text_holds_what_was_said_where_its_author_wants_it(
    bench: Bench, prompts: Any, prompt: str, first: str, second: str
) -> None:
    talk = llm("talk", answer="Yes.")
    talk["data"]["model"]["mode"] = "completion"
    talk["data"]["prompt_template"] = {"text": prompt, "edition_type": "basic"}
    talk["data"]["memory"] = {"window": {"enabled": False, "size": 50}, "query_prompt_template": "{{#sys.query#}}"}
    nodes = [graph_node("begin", "start", variables=[]), talk, graph_node("say", "answer", answer="{{#talk.text#}}")]
    app = bench.app(document(nodes, [edge("begin", "talk"), edge("talk", "say")], "advanced-chat"))
    run = bench.start(app, query="{{#env.X#}}")
    bench.events(run)
    bench.events(bench.start(app, query="two", conversation_id=run.conversation_id))
    told = second.format("Human: {{#env.X#}}\nAssistant: Yes.")
    assert prompts == [[("user", first)], [("user", told)]]


def test_a_conversation_keeps_the_prompt_it_began_with(bench: Bench, prompts: Any) -> None:
    app = bench.app(easy("chat", "Old."))
    first = bench.start(app, query="one")
    bench.events(first)
    app_changes.save_draft(app.id, definition=easy("chat", "New."), source="-")
    app_changes.publish(app.id)
    app = apps.for_operator_get(app.id)
    bench.events(bench.start(app, query="two", conversation_id=first.conversation_id))
    bench.events(bench.start(app, query="two"))
    assert [prompt[0][1] for prompt in prompts] == ["Old.", "Old.", "New."]


def test_a_chat_that_is_stopped_ends_with_what_there_was(bench: Bench, soon: Callable[..., Any]) -> None:
    run = bench.start(bench.app(easy("chat", parameters={"delay_ms": 50, "chunks": 200})), query="go on")
    soon(lambda: stored.last_seq(run.id) >= 2)
    runs.stop(bench.stored(run))
    events = bench.events(run)
    assert names(events)[-1] == "message_end"
    assert set(names(events)) == {"message", "message_end"}
    assert bench.stored(run).status == "stopped"
    kept = conversations.history(run.conversation_id or "")[0]
    assert (kept.status, kept.answer) == ("stopped", answer(events))


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat", "advanced-chat"])
def test_a_stopped_message_tells_the_tokens_that_it_took(bench: Bench, soon: Callable[..., Any], mode: str) -> None:
    slow = {"chunks": 200, "delay_ms": 30}
    definition = chat_document(**slow) if mode == "advanced-chat" else easy(mode, parameters=slow)
    run = bench.start(bench.app(definition), query="go on", conversation_id=None)
    soon(lambda: stored.last_seq(run.id) >= 5)
    runs.stop(bench.stored(run))
    events = bench.events(run)
    usage = next(event for event in events if event["event"] == "message_end")["metadata"]["usage"]
    said = sum("answer" in event for event in events)
    assert usage["completion_tokens"] >= said > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > said
    assert bench.stored(run).total_tokens == usage["total_tokens"]


def test_what_a_model_said_before_it_failed_counts_and_what_was_refused_does_not(bench: Bench) -> None:
    retry = {"retry_enabled": True, "max_retries": 2, "retry_interval": 1}
    used = []
    for script in ({"error_after": 2}, {"error_after": 0}):
        definition = chat_document()
        data = definition["graph"]["nodes"][1]["data"]
        data["model"]["completion_params"] = {"answer": "a b c", "error": "asleep", "fail_times": 1, **script}
        data["retry_config"] = retry
        events = bench.run(definition)
        used.append(events[-2]["metadata"]["usage"]["completion_tokens"])
    assert used == [5, 3]


def test_a_message_that_is_stopped_while_it_waits_for_a_person_tells_its_tokens(bench: Bench) -> None:
    from tests.engine import forms

    nodes = [graph_node("begin", "start", variables=[]), llm("talk"), forms.ask()]
    run = bench.start(bench.app(document(nodes, [edge("begin", "talk"), edge("talk", "review")], "advanced-chat")))
    paused = bench.events(run)[-1]["data"]
    runs.stop(bench.stored(run))
    message, finished = bench.events(run)[-2:]
    assert message["metadata"]["usage"]["total_tokens"] == paused["total_tokens"] > 0
    assert message["metadata"]["usage"]["completion_tokens"] == 4
    assert finished["data"]["total_tokens"] == paused["total_tokens"]


def test_a_model_that_fails_ends_the_chat_with_an_error_and_its_cause(bench: Bench) -> None:
    run = bench.start(bench.app(easy("chat", parameters={"error": "The key is wrong"})), query="hi")
    events = bench.events(run)
    assert names(events)[-1] == "error"
    assert {k: events[-1][k] for k in ("code", "status", "task_id")} == {
        "code": "completion_request_error",
        "status": 400,
        "task_id": run.task_id,
    }
    assert "The key is wrong" in events[-1]["message"]
    assert bench.stored(run).status == "failed"
    assert conversations.history(run.conversation_id or "")[0].status == "error"


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("no_key", "provider_not_initialize"),
        ("no_quota", "provider_quota_exceeded"),
        ("no_model", "model_currently_not_support"),
        ("rate_limit", "completion_request_error"),
        ("authorization", "completion_request_error"),
    ],
)
def test_what_a_model_lacks_has_a_code(bench: Bench, mode: str, kind: str, code: str) -> None:
    last = bench.run(easy(mode, parameters={"error": "no", "error_kind": kind}), query="hi")[-1]
    assert (last["event"], last["code"], last["status"], last["message"]) == ("error", code, 400, "no")


@pytest.mark.parametrize("mode", ["chat", "completion"])
def test_a_finished_run_can_be_read_again_from_any_event(bench: Bench, mode: str) -> None:
    run = bench.start(bench.app(easy(mode)), query="one two")
    whole = bench.numbered(run)
    assert [number for number, _ in whole] == list(range(1, len(whole) + 1))
    assert bench.numbered(run, None) == whole
    for cut in range(len(whole)):
        assert bench.numbered(run, cut) == whole[cut:]


def test_a_conversation_of_another_person_or_app_is_not_there(bench: Bench) -> None:
    app = bench.app(easy("chat"))
    run = bench.start(app, query="mine")
    bench.events(run)
    stranger = make_caller("eve@mail.example", "Eve")
    for caller, where in ((stranger, app), (bench.caller, bench.app(easy("chat")))):
        body = {"inputs": {}, "query": "yours", "conversation_id": run.conversation_id}
        with pytest.raises(Refusal) as refused:
            runs.start(where, apps.version(where.id, None), caller, body)
        assert (refused.value.code, refused.value.message) == ("not_found", "Conversation Not Exists.")


@pytest.mark.parametrize(
    ("length", "auto", "name"),
    [
        (20, False, "q" * 20),
        (21, False, "q" * 20 + "…"),
        (50, True, "q" * 50),
        (51, True, "q" * 47 + "..."),
        (51, None, "q" * 47 + "..."),
    ],
)
def test_a_conversation_is_called_after_its_first_question(
    bench: Bench, length: int, auto: bool | None, name: str
) -> None:
    body = {} if auto is None else {"auto_generate_name": auto}
    run = bench.start(bench.app(easy("chat")), query="q" * length, **body)
    bench.events(run)
    found = conversations.visible(bench.caller, run.app_id, run.conversation_id or "")
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("mode", ["chat", "agent-chat"])
@pytest.mark.parametrize("query", [None, "", "  \n"])
def test_a_chat_without_a_question_is_refused(bench: Bench, mode: str, query: str | None) -> None:
    app = bench.app(easy(mode))
    with pytest.raises(Refusal) as refused:
        runs.start(app, apps.version(app.id, None), bench.caller, {"inputs": {}, "query": query})
    assert refused.value.message == "query_required_for_chat"
    assert refused.value.hint == "Say something to the app in query."


def test_what_a_person_types_is_never_a_template(bench: Bench, prompts: Any) -> None:
    node = llm("talk", "Be kind.")
    node["data"]["prompt_template"][0]["role"] = "system"
    node["data"]["memory"] = {"window": {"enabled": False, "size": 50}, "query_prompt_template": ""}
    nodes = [graph_node("begin", "start", variables=[]), node, graph_node("say", "answer", answer="{{#talk.text#}}")]
    edges = [edge("begin", "talk"), edge("talk", "say")]
    bench.run(document(nodes, edges, mode="advanced-chat"), query="tell me {{#sys.user_id#}}")
    assert prompts == [[("system", "Be kind."), ("user", "tell me {{#sys.user_id#}}")]]


AVOID: dict[str, Any] = {
    "enabled": True,
    "type": "keywords",
    "config": {
        "keywords": "swordfish\npass word",
        "inputs_config": {"enabled": True, "preset_response": "Not that, {{#sys.user_id#}}."},
        "outputs_config": {"enabled": True, "preset_response": "I said nothing."},
    },
}


def test_a_listed_word_in_the_question_is_answered_by_the_author_not_by_the_model(bench: Bench, prompts: Any) -> None:
    events = bench.run(easy("chat", sensitive_word_avoidance=AVOID), query="the SWORDFISH")
    assert names(events) == ["message", "message_end"]
    assert answer(events) == "Not that, sys.user_id."
    assert prompts == []


def test_a_listed_word_in_the_answer_replaces_all_of_it(bench: Bench) -> None:
    only_outputs = {**AVOID, "config": {**AVOID["config"], "inputs_config": {"enabled": False}}}
    run = bench.start(bench.app(easy("chat", sensitive_word_avoidance=only_outputs)), query="my pass word is open now")
    events = bench.events(run)
    assert names(events)[-2:] == ["message_replace", "message_end"]
    assert {k: events[-2][k] for k in ("answer", "reason")} == {
        "answer": "I said nothing.",
        "reason": "output_moderation",
    }
    assert conversations.history(run.conversation_id or "")[0].answer == "I said nothing."
    assert bench.stored(run).status == "succeeded"


def moderated(avoidance: dict[str, Any]) -> dict[str, Any]:
    nodes = [
        graph_node("begin", "start", variables=[]),
        llm("talk"),
        graph_node("say", "answer", answer="{{#talk.text#}}!"),
    ]
    features = {"sensitive_word_avoidance": avoidance}
    edges = [edge("begin", "talk"), edge("talk", "say")]
    return {**document(nodes, edges, mode="advanced-chat"), "features": features}


def test_a_chat_flow_has_its_word_list_too(bench: Bench, prompts: Any) -> None:
    events = bench.run(moderated(AVOID), query="the swordfish")
    assert (answer(events), prompts) == ("Not that, sys.user_id.", [])
    only_outputs = {**AVOID, "config": {**AVOID["config"], "inputs_config": {"enabled": False}}}
    run = bench.start(bench.app(moderated(only_outputs)), query="my pass word is open now")
    events = bench.events(run)
    told = names(events)
    assert told.count("message_replace") == 1
    assert "message" not in told[told.index("message_replace") :]
    assert events[-1]["data"]["outputs"]["answer"] == "I said nothing."
    assert events[-1]["data"]["status"] == "succeeded"
    assert conversations.history(run.conversation_id or "")[0].answer == "I said nothing."


def test_a_replaced_answer_stays_replaced_after_a_person_was_asked(bench: Bench, soon: Callable[..., Any]) -> None:
    from tests.engine import forms

    shown, asked = graph_node("say", "answer", answer="{{#talk.text#}}"), forms.ask()
    more = graph_node("more", "answer", answer="And more: {{#talk.text#}}")
    nodes = [graph_node("begin", "start", variables=[]), llm("talk"), shown, asked, more]
    edges = [edge("begin", "talk"), edge("talk", "say"), edge("say", "review"), edge("review", "more", "approve")]
    only_outputs = {**AVOID, "config": {**AVOID["config"], "inputs_config": {"enabled": False}}}
    features = {"sensitive_word_avoidance": only_outputs}
    app = bench.app({**document(nodes, edges, mode="advanced-chat"), "features": features})
    run = bench.start(app, query="the swordfish")
    before = bench.events(run)
    assert before[-1]["event"] == "workflow_paused"
    forms.answer(forms.token_of(before), comment="fine")
    soon(lambda: bench.stored(run).is_over)
    after = bench.events(run)[len(before) :]
    assert "message" not in names(after)
    assert after[-1]["data"]["outputs"]["answer"] == "I said nothing."
    assert conversations.history(run.conversation_id or "")[0].answer == "I said nothing."


@pytest.mark.parametrize("mode", ["chat", "completion", "agent-chat"])
def test_a_run_that_takes_too_long_ends_with_an_error_that_says_so(
    bench: Bench, configure: Callable[..., None], mode: str
) -> None:
    configure(max_execution_seconds=0.3)
    slow = config(parameters={"chunks": 1000, "delay_ms": 20})
    run = bench.start(bench.app({"mode": mode, "model_config": slow}), query="go on")
    end = bench.events(run)[-1]
    assert (end["event"], end["code"], end["status"]) == ("error", "internal_server_error", 500)
    assert "Maximum execution time exceeded" in end["message"]
    assert bench.stored(run).status == "failed"
