"""Forms: a run asks, waits, and goes on with the answer, or without one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import store.clock
from engine import runs
from engine.forms import answering, showing
from store import app_changes, checkpoints, conversations, forms
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import ACTIONS, COMMENT, answer, ask, machine, names, review, token_of, waiting
from tests.engine.graphs import document, edge, end, llm, node, template
from tests.waiting import HANG

PAUSE = ["human_input_required review", "workflow_paused"]


class Later(store.clock.Clock):
    """The clock, some time ahead."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    clock = Later()
    monkeypatch.setattr(store.clock._Installed, "clock", clock)
    return clock


def refused(token: str, action: Any = "approve", **inputs: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        answering.submit(token, {"action": action, "inputs": inputs}, by="test")
    return caught.value


def test_a_run_asks_waits_and_goes_on_with_the_answer(bench: Bench) -> None:
    run = bench.start(bench.app(review(content="For {{#sys.workflow_run_id#}}: {{#$output.comment#}}")))
    first = bench.events(run)

    assert names(first)[-3:] == ["node_started review", *PAUSE]
    asked, paused = first[-2]["data"], first[-1]["data"]
    assert asked["form_content"] == f"For {run.id}: {{{{#$output.comment#}}}}"
    assert (asked["inputs"], asked["actions"], asked["display_in_ui"]) == ([COMMENT], ACTIONS, True)
    assert asked["form_url"].endswith(f"/form/{asked['form_token']}")
    assert paused["paused_nodes"] == ["review"]
    assert paused["reasons"][0]["form_token"] == asked["form_token"]
    assert bench.stored(run).status == "paused"

    answer(asked["form_token"], "reject", comment="No.")
    rest = bench.events(run, len(first))
    assert names(rest) == [
        "workflow_started", "node_started review", "human_input_form_filled review",
        *["text_chunk"] * 5, "node_finished review", "node_started done", "node_finished done", "workflow_finished",
    ]  # fmt: skip
    assert rest[0]["data"]["reason"] == "resumption"
    assert rest[2]["data"] == {
        "form_id": asked["form_id"], "node_id": "review", "node_title": "Review",
        "rendered_content": f"For {run.id}: No.",
        "action_id": "reject", "action_text": "Reject", "submitted_data": {"comment": "No."},
    }  # fmt: skip
    assert rest[-1]["data"]["outputs"] == {"comment": "No.", "action": "reject", "text": f"For {run.id}: No."}
    started = [
        e["data"]["id"] for e in first + rest if e["event"] == "node_started" and e["data"]["node_id"] == "review"
    ]
    finished = [e["data"]["id"] for e in rest if e["event"] == "node_finished" and e["data"]["node_id"] == "review"]
    assert started == finished * 2


def test_the_numbers_go_on_without_gap_or_repeat_through_the_pause(bench: Bench) -> None:
    run = bench.start(bench.app(review()))
    first = bench.numbered(run)
    answer(token_of([event for _, event in first]), comment="x")
    rest = bench.numbered(run, first[-1][0])
    whole = bench.numbered(run)
    assert whole == first + rest
    assert [number for number, _ in whole] == list(range(1, len(whole) + 1))
    for cut in range(len(whole)):
        assert bench.numbered(run, cut) == whole[cut:]


def test_a_snapshot_leaves_out_the_pauses_that_are_over(bench: Bench, soon: Callable[..., Any]) -> None:
    run = bench.start(bench.app(review()))
    first = bench.events(run)
    assert names(bench.events(run, None))[-2:] == PAUSE
    answer(token_of(first), comment="x")
    soon(lambda: bench.stored(run).is_over)
    told = names(bench.events(run, None, snapshot=True))
    assert not set(PAUSE) & set(told)
    assert told[0] == "workflow_started"
    assert told[-1] == "workflow_finished"


def test_a_form_answered_in_the_moment_of_the_pause_does_not_end_the_stream(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = checkpoints.pause

    def answered_at_once(halt: checkpoints.Halt) -> str:
        told = pause(halt)
        if told == "paused":
            answer(machine().place.links.token(waiting(halt.run_id)[0].id), comment="quick")
        return told

    monkeypatch.setattr(checkpoints, "pause", answered_at_once)
    found = bench.events(bench.start(bench.app(review())))
    assert found[-1]["data"]["outputs"]["comment"] == "quick"


def test_a_reader_may_wait_through_the_pause(bench: Bench) -> None:
    run = bench.start(bench.app(review()))

    async def whole() -> list[dict[str, Any]]:
        found = []
        async with asyncio.timeout(HANG):
            async for _, payload in runs.follow(run.id, through_pauses=True):
                found.append(json.loads(payload))
                if found[-1]["event"] == "workflow_paused":
                    asyncio.get_running_loop().call_soon(answer, token_of(found), "approve")  # misses a field
                    asyncio.get_running_loop().call_soon(lambda: answer(token_of(found), "approve", comment="late"))
        return found

    found = asyncio.run(whole())
    assert found[-1]["data"]["outputs"]["comment"] == "late"


# Answers that do not fit


CHOICE = {
    "type": "select",
    "output_variable_name": "choice",
    "option_source": {"type": "constant", "selector": [], "value": ["a", "b"]},
}
FILE = {"type": "file", "output_variable_name": "scan", "allowed_file_types": ["image"]}
FILES = {"type": "file-list", "output_variable_name": "scans", "number_limits": 1}


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (COMMENT, 7, "Invalid value for paragraph input 'comment': expected string"),
        (CHOICE, 7, "Invalid value for select input 'choice': expected string"),
        (CHOICE, "c", "Invalid value for select input 'choice': c"),
        (FILE, "x", "Invalid value for file input 'scan': expected mapping"),
        (
            FILE,
            {"transfer_method": "remote_url", "url": "ftp://x"},
            "Invalid value for file input 'scan': Invalid file url",
        ),
        (FILES, {}, "Invalid value for file list input 'scans': expected list"),
        (FILES, ["x"], "Invalid value for file list input 'scans': expected list of mappings"),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(bench: Bench, field: Any, value: Any, text: str) -> None:
    run = bench.start(bench.app(review(inputs=[field])))
    token = token_of(bench.events(run))
    problem = refused(token, **{field["output_variable_name"]: value})
    assert (problem.code, problem.message) == ("invalid_form_data", text)
    assert problem.details is not None
    assert problem.details[0]["loc"] == ["body", "inputs", field["output_variable_name"]]
    assert waiting(run.id)


def test_null_stands_for_what_was_left_out(bench: Bench) -> None:
    choice = {"type": "select", "output_variable_name": "choice", "option_source": None}
    scans = {"type": "file-list", "output_variable_name": "scans", "number_limits": None, "allowed_file_types": None}
    nothing = dict.fromkeys(("user_actions", "delivery_methods", "timeout", "timeout_unit", "form_content"))
    asked = bench.run(review(inputs=[choice, scans]))[-2]["data"]
    assert asked["inputs"][0]["option_source"]["value"] == []
    assert asked["inputs"][1]["number_limits"] == 0
    assert names(bench.run(review(inputs=None, **nothing)))[-2:] == PAUSE


def test_every_field_and_a_known_action_are_asked_for(bench: Bench) -> None:
    token = token_of(bench.events(bench.start(bench.app(review(inputs=[COMMENT, CHOICE])))))
    unknown = refused(token, "maybe", comment="", choice="a")
    assert (unknown.message, unknown.hint) == ("Invalid action: maybe", "Send one of: approve, reject.")
    assert refused(token, "reject", comment="", choice="z").hint == "Send one of: a, b."
    assert refused(token, "reject").message == "Missing required inputs: comment, choice"
    answer(token, "approve", comment="", choice="b", extra=1)


def test_a_form_is_answered_once(bench: Bench) -> None:
    run = bench.start(bench.app(review()))
    token = token_of(bench.events(run))
    answer(token, comment="first")
    assert refused(token, comment="second").code == "human_input_form_submitted"
    with pytest.raises(Refusal) as caught:
        answering.open_form(token)
    assert caught.value.code == "human_input_form_submitted"
    assert bench.events(run)[-1]["data"]["outputs"]["comment"] == "first"


def test_of_twenty_answers_at_once_one_is_taken(bench: Bench) -> None:
    run = bench.start(bench.app(review()))
    token = token_of(bench.events(run))

    def give(number: int) -> str:
        try:
            answer(token, comment=str(number))
        except Refusal as refusal:
            return refusal.code
        return str(number)

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(give, range(20)))
    (winner,) = [one for one in results if one.isdigit()]
    assert results.count("human_input_form_submitted") == 19
    events = bench.events(run)
    assert events[-1]["data"]["outputs"]["comment"] == winner
    assert names(events).count("human_input_form_filled review") == 1
    assert names(events).count("workflow_finished") == 1


def test_an_unknown_token_or_that_of_another_app_is_not_found(bench: Bench) -> None:
    other = bench.app(review())
    token = token_of(bench.events(bench.start(bench.app(review()))))
    for guess, app_id in ((token + "x", None), ("", None), ("x" * 300, None), (token, other.id)):
        with pytest.raises(Refusal) as caught:
            answering.open_form(guess, app_id)
        assert caught.value.code == "not_found"


def test_without_a_web_form_there_is_no_token(bench: Bench) -> None:
    asked = bench.events(bench.start(bench.app(review(delivery_methods=[]))))[-2]["data"]
    assert (asked["form_token"], asked["form_url"], asked["display_in_ui"]) == (None, None, False)


def test_options_and_defaults_come_from_variables(bench: Bench) -> None:
    choice = {**CHOICE, "option_source": {"type": "variable", "selector": ["start", "all", "options"]}}
    comment = {**COMMENT, "default": {"type": "variable", "selector": ["say", "output"], "value": None}}
    nodes = [
        node("start", "start", variables=[
            {"variable": "all", "label": "All", "type": "json_object", "required": True},
        ]),
        template("say", "Said."),
        ask(inputs=[comment, choice]),
        end(result=["review", "choice"]),
    ]  # fmt: skip
    edges = [edge("start", "say"), edge("say", "review"), edge("review", "end", "approve")]
    run = bench.start(bench.app(document(nodes, edges)), {"all": {"options": ["x", "y"]}})
    asked = bench.events(run)[-2]["data"]
    assert asked["resolved_default_values"] == {"comment": "Said."}
    assert asked["inputs"][1]["option_source"]["value"] == ["x", "y"]
    assert "Invalid value" in refused(asked["form_token"], comment="", choice="z").message
    answer(asked["form_token"], comment="", choice="y")
    assert bench.events(run)[-1]["data"]["outputs"] == {"result": "y"}


@pytest.mark.parametrize(("given", "offered", "last"), [([], 0, ""), (["x"] * 1000 + ["y"], 1000, "x")])
def test_a_choice_without_options_can_be_left_and_one_of_very_many_offers_the_first(
    bench: Bench, given: list[str], offered: int, last: str
) -> None:
    choice = {**CHOICE, "option_source": {"type": "variable", "selector": ["start", "all", "options"]}}
    nodes = [
        node("start", "start", variables=[{"variable": "all", "label": "All", "type": "json_object"}]),
        ask(inputs=[choice]),
        end(result=["review", "choice"]),
    ]  # fmt: skip
    edges = [edge("start", "review"), edge("review", "end", "approve")]
    run = bench.start(bench.app(document(nodes, edges)), {"all": {"options": given}})
    asked = bench.events(run)[-2]["data"]
    assert len(asked["inputs"][0]["option_source"]["value"]) == offered
    assert "Invalid value" in refused(asked["form_token"], choice="y").message
    answer(asked["form_token"], choice=last)
    assert bench.events(run)[-1]["data"]["outputs"] == {"result": last}


# Time


def test_a_form_out_of_time_takes_the_timeout_branch(bench: Bench, configure: Any, later: Later) -> None:
    configure(sweep_seconds=0.5)
    run = bench.start(bench.app(review(content="Well? {{#$output.comment#}}")))
    token = token_of(bench.events(run))
    later.ahead = timedelta(hours=1, seconds=1)
    assert refused(token, comment="late").code == "human_input_form_expired"

    async def rest() -> list[dict[str, Any]]:
        async with asyncio.timeout(HANG):
            return [json.loads(text) async for _, text in runs.follow(run.id, through_pauses=True)]

    events = asyncio.run(rest())
    assert "human_input_form_timeout review" in names(events)
    assert events[-1]["data"]["status"] == "succeeded"
    assert events[-1]["data"]["outputs"] == {"action": "", "text": "Well? {{#$output.comment#}}"}
    assert refused(token, comment="late").code == "human_input_form_expired"


def test_no_form_waits_longer_than_the_server_allows(bench: Bench, configure: Any, later: Later) -> None:
    configure(sweep_seconds=0.5, form_seconds=600)
    run = bench.start(bench.app(review()))
    asked = bench.events(run)[-2]
    told = asked["data"]["expiration_time"] - bench.stored(run).created_at.timestamp()
    assert 590 <= told <= 602, "the event says how long the server waits, not how long the node would"
    later.ahead = timedelta(seconds=601)
    assert refused(asked["data"]["form_token"], comment="late").code == "human_input_form_expired"

    async def rest() -> list[dict[str, Any]]:
        async with asyncio.timeout(HANG):
            return [json.loads(text) async for _, text in runs.follow(run.id, through_pauses=True)]

    last = asyncio.run(rest())[-1]["data"]
    assert (last["status"], last["error"]) == ("stopped", "Human input global timeout at node review")
    assert [form.status for form in forms.of_run(run.id)] == ["expired"]


def test_stopping_a_waiting_run_ends_it_and_its_forms_at_once(bench: Bench) -> None:
    run = bench.start(bench.app(review()))
    token = token_of(bench.events(run))
    runs.stop(bench.stored(run))
    assert bench.stored(run).is_over
    events = bench.events(run)
    assert (events[-1]["data"]["status"], events[-1]["data"]["error"]) == ("stopped", "Stopped by user.")
    assert names(events)[-2:] == ["node_finished review", "workflow_finished"]
    assert refused(token, comment="x").code == "human_input_form_expired"
    runs.stop(bench.stored(run))
    assert bench.events(run) == events


def test_nobody_answers_for_a_deleted_app_and_what_waits_there_ends(bench: Bench, configure: Any, soon: Any) -> None:
    configure(sweep_seconds=0.5)
    run = bench.start(bench.app(review()))
    token = token_of(bench.events(run))
    assert app_changes.delete(run.app_id)
    assert refused(token, comment="x").code == "not_found"
    soon(lambda: bench.stored(run).is_over)
    assert (bench.stored(run).status, bench.stored(run).error) == ("stopped", "The app was deleted.")
    assert [form.status for form in forms.of_run(run.id)] == ["expired"]


# Several forms


def parallel() -> dict[str, Any]:
    nodes = [
        node("start", "start", variables=[]),
        ask("one"),
        ask("two"),
        template("beside", "busy"),
        template("join", "{{ a }}+{{ b }}+{{ c }}", a=["one", "comment"], b=["two", "comment"], c=["beside", "output"]),
        end(result=["join", "output"]),
    ]
    edges = [
        edge("start", "one"), edge("start", "two"), edge("start", "beside"), edge("beside", "join"),
        edge("one", "join", "approve"), edge("two", "join", "approve"), edge("join", "end"),
    ]  # fmt: skip
    return document(nodes, edges)


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_forms_of_parallel_branches_are_asked_together_and_answered_in_any_order(
    bench: Bench, order: tuple[str, str]
) -> None:
    run = bench.start(bench.app(parallel()))
    first = bench.events(run)
    assert names(first)[-3:] == ["human_input_required one", "human_input_required two", "workflow_paused"]
    assert "node_finished beside" in names(first)
    assert set(first[-1]["data"]["paused_nodes"]) == {"one", "two"}
    answer(token_of(first, order[0]), comment=order[0])
    second = bench.events(run, None)
    assert names(second)[-2:] == [f"human_input_required {order[1]}", "workflow_paused"]
    assert token_of(second, order[1]) == token_of(first, order[1])
    assert f"node_started {order[1]}" not in names(second)
    answer(token_of(first, order[1]), comment=order[1])
    third = bench.events(run, None)
    assert third[-1]["data"]["outputs"] == {"result": "one+two+busy"}
    assert third[-1]["data"]["total_steps"] == 6


@pytest.mark.parametrize("attempt", range(5))
def test_two_answers_at_the_same_time_are_both_taken(bench: Bench, attempt: int) -> None:
    run = bench.start(bench.app(parallel()))
    first = bench.events(run)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: answer(token_of(first, name), comment=name), ("one", "two")))

    async def rest() -> list[dict[str, Any]]:
        async with asyncio.timeout(HANG):
            return [json.loads(text) async for _, text in runs.follow(run.id, through_pauses=True)]

    events = asyncio.run(rest())
    assert events[-1]["data"]["outputs"] == {"result": "one+two+busy"}
    for name in ("one", "two"):
        assert names(events).count(f"human_input_form_filled {name}") == 1


def test_a_second_form_is_asked_after_the_first(bench: Bench) -> None:
    nodes = [
        node("start", "start", variables=[]), ask("one"),
        ask("two", "You said {{#one.comment#}}."), end(result=["two", "__rendered_content"]),
    ]  # fmt: skip
    edges = [edge("start", "one"), edge("one", "two", "approve"), edge("two", "end", "approve")]
    run = bench.start(bench.app(document(nodes, edges)))
    answer(token_of(bench.events(run), "one"), comment="hello")
    answer(token_of(bench.events(run, None), "two"), comment="again")
    assert bench.events(run, None)[-1]["data"]["outputs"] == {"result": "You said hello."}


def iterating(kind: str) -> dict[str, Any]:
    """A form for each item, or in each of two rounds."""
    shape: dict[str, Any] = {"iteration": {
        "iterator_selector": ["start", "items", "list"], "output_selector": ["review", "comment"],
        "start_node_id": "first", "is_parallel": False,
    }, "loop": {
        "start_node_id": "first", "loop_count": 2, "break_conditions": [], "logical_operator": "and",
        "loop_variables": [{"label": "said", "var_type": "string", "value_type": "constant", "value": ""}],
    }}  # fmt: skip
    inside = {"isInIteration" if kind == "iteration" else "isInLoop": True, f"{kind}_id": "again"}
    content = "Item {{#again.item#}}" if kind == "iteration" else "After {{#again.said#}}"
    keep = node("keep", "assigner", "again", version="2", **inside, items=[{
        "variable_selector": ["again", "said"], "input_type": "variable", "operation": "over-write",
        "value": ["review", "comment"],
    }])  # fmt: skip
    nodes = [
        node("start", "start", variables=[{"variable": "items", "label": "i", "type": "json_object"}]),
        node("again", kind, **shape[kind]),
        node("first", f"{kind}-start", "again", **inside),
        ask(content=content, parent="again", **inside),
        *([keep] if kind == "loop" else []),
        end(result=["again", "output" if kind == "iteration" else "said"]),
    ]
    edges = [edge("start", "again"), edge("first", "review"), edge("again", "end")]
    if kind == "loop":
        edges.append(edge("review", "keep", "approve"))
    return document(nodes, edges)


@pytest.mark.parametrize(("kind", "shown", "result"), [
    ("iteration", ["Item a", "Item b"], ["0", "1"]),
    ("loop", ["After ", "After 0"], "1"),
])  # fmt: skip
def test_each_round_of_a_container_has_its_own_form(bench: Bench, kind: str, shown: list[str], result: Any) -> None:
    run = bench.start(bench.app(iterating(kind)), {"items": {"list": ["a", "b"]}})
    events = bench.events(run)
    tokens = []
    for number, text in enumerate(shown):
        asked = [e["data"] for e in events if e["event"] == "human_input_required"][-1]
        assert asked["form_content"] == text
        tokens.append(asked["form_token"])
        answer(asked["form_token"], comment=str(number))
        events = bench.events(run, None)
    assert len(set(tokens)) == 2
    assert events[-1]["data"]["outputs"] == {"result": result}
    assert events[-1]["data"]["total_steps"] == 3
    told = [e["data"] for e in bench.events(run, snapshot=True) if e["event"] == "node_finished"]
    rounds = [data["iteration_index"] for data in told if data["node_id"] == "review"]
    assert rounds == ([0, 1] if kind == "iteration" else [None, None]), "a pause does not lose them"


# Chats


def test_a_chats_answer_continues_in_the_same_message(bench: Bench) -> None:
    nodes = [
        node("start", "start", variables=[]), llm("before"), node("hello", "answer", answer="{{#before.text#}} "),
        ask(), node("answer", "answer", answer="so {{#review.comment#}}"),
    ]  # fmt: skip
    edges = [
        edge("start", "before"),
        edge("before", "hello"),
        edge("hello", "review"),
        edge("review", "answer", "approve"),
    ]
    run = bench.start(bench.app(document(nodes, edges, "advanced-chat")), query="one two")
    first = bench.events(run)
    said = "".join(e["answer"] for e in first if e["event"] == "message")
    assert said
    message = conversations.history(run.conversation_id or "")[0]
    assert message.status == "paused"
    answer(token_of(first), comment="be it")
    rest = bench.events(run, len(first))
    assert {e["message_id"] for e in first + rest} == {run.message_id}
    message = conversations.history(run.conversation_id or "")[0]
    assert (message.status, message.answer) == ("normal", said + "so be it")
    assert rest[-1]["data"]["outputs"]["answer"] == said + "so be it"


# What is kept


def test_secrets_and_tokens_are_nowhere_in_the_store(bench: Bench, tmp_path: Path) -> None:
    secret = "s3cret-value-of-the-author"
    definition = review(
        content="{{#env.KEY#}}",
    )
    definition["environment_variables"] = [{"id": "k", "name": "KEY", "value_type": "secret", "value": secret}]
    run = bench.start(bench.app(definition))
    events = bench.events(run)
    token = token_of(events)
    assert secret not in json.dumps(events)
    assert secret not in json.dumps(showing.shown(answering.open_form(token)))
    database = sqlite3.connect(tmp_path / "state.db")
    for table in ("events", "forms", "checkpoints", "runs"):
        held = json.dumps(database.execute(f"SELECT * FROM {table}").fetchall())
        assert held != "[]"
        assert secret not in held
        assert token not in held
    answer(token, comment=".")
    bench.events(run, None)
    assert database.execute("SELECT COUNT(*) FROM checkpoints").fetchone() == (0,)


def test_a_node_that_asks_nonsense_fails_with_the_member_named(bench: Bench) -> None:
    last = bench.run(review(inputs=[{"type": "paragraph", "output_variable_name": "9"}]))[-1]["data"]
    assert last["status"] == "failed"
    assert "inputs.0.output_variable_name" in last["error"]


def test_a_form_is_asked_however_often_the_run_is_kept(bench: Bench, configure: Any) -> None:
    configure(checkpoint_seconds=1e-9)
    assert names(bench.run(review()))[-2:] == PAUSE
