"""Variable assigners: every operation on every type, what the next turn of the conversation finds, and containers."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from store import conversations
from tests.engine import forms
from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, node, template
from tests.engine.test_error_strategies import container

V, MADE = ["conversation", "v"], ["made", "r"]
A, B = {"a": 1}, {"b": 2}


def second(operation: str, value: Any = None, kind: str = "constant", **more: Any) -> dict[str, Any]:
    """An assigner of the second version, with one item."""
    item = {"variable_selector": V, "input_type": kind, "operation": operation, "value": value, **more}
    return node("set", "assigner", version="2", items=[item])


def taken(operation: str) -> dict[str, Any]:
    """The same, with a variable for its value."""
    return second(operation, MADE, "variable")


def first(mode: str, source: list[str] = MADE) -> dict[str, Any]:
    """An assigner of the first version."""
    return node("set", "assigner", assigned_variable_selector=V, write_mode=mode, input_variable_selector=source)


def chat(kind: str, value: Any, step: dict[str, Any], made: Any = None) -> dict[str, Any]:
    """A chat with one variable that each turn writes once; it answers the variable as JSON."""
    types: dict[type, str] = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object"}
    before = []
    if made is not None:
        text = f"import json\ndef main(): return {{'r': json.loads({json.dumps(made)!r})}}"
        declared = types.get(type(made)) or f"array[{types[type(made[0])]}]"
        before = [code("made", text, r=declared)]
    nodes = [
        node("start", "start", variables=[]), *before, step, template("told", "{{ v | tojson }}", v=V),
        node("answer", "answer", answer="{{#told.output#}}"),
    ]  # fmt: skip
    edges = [edge(one["id"], after["id"]) for one, after in itertools.pairwise(nodes)]
    variable = {"name": "v", "value_type": kind, "value": value}
    return document(nodes, edges, "advanced-chat", conversation_variables=[variable])


def turns(bench: Bench, definition: dict[str, Any]) -> list[tuple[str | None, Any]]:
    """Error and value of each of two turns of one conversation."""
    app, conversation, found = bench.app(definition), {}, []
    for _ in range(2):
        run = bench.start(app, **conversation)
        last = bench.events(run)[-1]["data"]
        answer = last["outputs"].get("answer")
        found.append((last["error"], json.loads(answer) if answer else None))
        conversation = {"conversation_id": run.conversation_id}
    return found


# type, default, what is done, what the node before made; the value after one turn and after two
DONE: list[tuple[str, Any, dict[str, Any], Any, Any, Any]] = [
    ("string", "a", second("over-write", "b"), None, "b", "b"),
    ("string", "a", second("set", "b"), None, "b", "b"),
    ("string", "a", second("clear"), None, "", ""),
    ("string", "a", taken("over-write"), "new", "new", "new"),
    ("number", 1, second("+=", 2), None, 3, 5),
    ("number", 1, second("-=", "2"), None, -1, -3),
    ("number", 1, second("*=", 1.5), None, 1.5, 2.25),
    ("number", 1, second("/=", 2), None, 0.5, 0.25),
    ("integer", 1, second("/=", 2), None, 0.5, 0.25),
    ("number", 1, taken("+="), 4, 5, 9),
    ("number", 1, second("set", 7), None, 7, 7),
    ("number", 5, second("clear"), None, 0, 0),
    ("boolean", False, second("set", True), None, True, True),
    ("boolean", True, second("clear"), None, False, False),
    ("object", A, second("set", '{"b": 2}'), None, B, B),
    ("object", A, second("over-write", B), None, B, B),
    ("object", A, second("clear"), None, {}, {}),
    ("array[string]", ["a"], taken("append"), "b", ["a", "b"], ["a", "b", "b"]),
    ("array[string]", ["a"], second("append", "b"), None, ["a", "b"], ["a", "b", "b"]),
    ("array[string]", ["a"], taken("extend"), ["b", "c"], ["a", "b", "c"], ["a", "b", "c", "b", "c"]),
    ("array[string]", ["a"], taken("over-write"), ["b"], ["b"], ["b"]),
    ("array[number]", [1], taken("append"), 2, [1, 2], [1, 2, 2]),
    ("array[boolean]", [True], taken("append"), False, [True, False], [True, False, False]),
    ("array[object]", [A], taken("append"), B, [A, B], [A, B, B]),
    ("array[object]", [A], taken("extend"), [B], [A, B], [A, B, B]),
    ("array[object]", [A], taken("over-write"), [B], [B], [B]),
    ("array[object]", [A, B], second("remove-first"), None, [B], []),
    ("array[object]", [A, B], second("remove-last"), None, [A], []),
    ("array[object]", [], second("remove-last"), None, [], []),
    ("array[object]", [A], second("clear"), None, [], []),
    ("string", "a", first("over-write"), "b", "b", "b"),
    ("number", 1, first("over-write"), 2.5, 2.5, 2.5),
    ("array[object]", [A], first("append"), B, [A, B], [A, B, B]),
    ("array[object]", [A], first("over-write"), [B], [B], [B]),
    ("array[string]", ["a"], first("append"), "b", ["a", "b"], ["a", "b", "b"]),
    ("number", 5, first("clear"), None, 0, 0),
    ("array[object]", [A], first("clear"), None, [], []),
]  # fmt: skip


def _name(case: tuple[Any, ...]) -> str:
    data = case[2]["data"]
    return f"{case[0]} {data.get('write_mode') or data['items'][0]['operation']} {data.get('version', '1')}"


@pytest.mark.parametrize("case", DONE, ids=_name)
def test_an_operation_changes_the_variable_for_this_turn_and_the_next(bench: Bench, case: tuple[Any, ...]) -> None:
    kind, default, step, made, once, twice = case
    assert turns(bench, chat(kind, default, step, made)) == [(None, once), (None, twice)]


REFUSED: list[tuple[str, Any, dict[str, Any], Any, str]] = [
    ("string", "a", taken("over-write"), 5, "is of type string: 'over-write' does not take 5"),
    ("string", "a", second("append", "b"), None, "is of type string: 'append' is nothing to do with it"),
    ("number", 1, second("/=", 0), None, "is of type number: '/=' does not take 0"),
    ("number", 1, second("+=", "many"), None, "is of type number: '+=' does not take many"),
    ("number", 1, second("set", True), None, "is of type number: 'set' does not take True"),
    ("object", A, second("set", "{no"), None, "is of type object: 'set' does not take {no"),
    ("array[string]", ["a"], taken("append"), 5, "is of type array[string]: 'append' does not take 5"),
    ("array[object]", [A], taken("extend"), ["x"], "is of type array[object]: 'extend' does not take ['x']"),
    ("string", "a", second("over-write", ["gone", "r"], "variable"), None, "Variable gone.r not found"),
    ("string", "a", second("set", "b", variable_selector=["conversation", "w"]), None, "conversation.w not found"),
    ("string", "a", first("over-write"), 5, "is of type string: 'over-write' does not take 5"),
    ("string", "a", first("append"), "b", "is of type string: 'append' does not take b"),
    ("array[string]", ["a"], first("append"), 5, "is of type array[string]: 'append' does not take 5"),
    ("array[object]", [A], first("over-write"), 5, "is of type array[object]: 'over-write' does not take 5"),
    ("string", "a", first("over-write", ["gone", "r"]), None, "Variable gone.r not found"),
    ("string", "a", second("set", "b", variable_selector=["sys", "query"]), None, "variable sys.query cannot be written"
     ": only those of the conversation and of loops can"),
    ("string", "a", second("set", "b", variable_selector=MADE), "c", "variable made.r cannot be written"
     ": only those of the conversation and of loops can"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=_name)
def test_what_does_not_fit_is_refused_in_words_and_leaves_the_conversation_whole(
    bench: Bench, case: tuple[Any, ...]
) -> None:
    kind, default, step, made, message = case
    found = turns(bench, chat(kind, default, step, made))
    for error, _ in found:
        assert error is not None
        assert error.endswith(message)


def test_a_value_that_an_edited_app_calls_another_type_gives_way_to_the_default(bench: Bench) -> None:
    app = bench.app(chat("array[number]", [7], second("append", 8)))
    run = bench.start(app)
    bench.events(run)
    conversations.save_variables(run.conversation_id or "", {"v": "no list"})
    last = bench.events(bench.start(app, conversation_id=run.conversation_id))[-1]["data"]
    assert (last["error"], json.loads(last["outputs"]["answer"])) == (None, [7, 8])


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["iteration", "loop"])
def test_a_conversation_variable_is_written_in_each_round_and_read_after_it(
    bench: Bench, kind: str, version: str
) -> None:
    """Objects, appended in each round; the answer behind the container and the next turn find all of them."""
    source = ["it", "item"] if kind == "iteration" else ["made", "one"]
    step = first("append", source) if version == "1" else second("append", source, "variable")
    data: dict[str, Any] = {"iterator_selector": ["made", "r"], "output_selector": source}
    if kind == "loop":
        data = {"loop_count": 2, "break_conditions": [], "logical_operator": "and", "loop_variables": []}
    text = f"def main(): return {{'r': [{A}, {B}], 'one': {A}}}"
    nodes = [
        node("start", "start", variables=[]), code("made", text, r="array[object]", one="object"),
        *container(kind, step, **data), template("told", "{{ v | tojson }}", v=V),
        node("answer", "answer", answer="{{#told.output#}}"),
    ]  # fmt: skip
    edges = [edge("start", "made"), edge("made", "it"), edge("first", "set")]
    edges += [edge("it", "told"), edge("told", "answer")]
    kept = [{"name": "v", "value_type": "array[object]", "value": []}]
    rounds = [A, B] if kind == "iteration" else [A, A]
    definition = document(nodes, edges, "advanced-chat", conversation_variables=kept)
    assert turns(bench, definition) == [(None, rounds), (None, rounds * 2)]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_loop_variable_is_written_in_each_round(bench: Bench, version: str) -> None:
    target = ["it", "seen"]
    if version == "1":
        step = first("append", ["made", "one"])
        step["data"]["assigned_variable_selector"] = target
    else:
        step = second("append", ["made", "one"], "variable", variable_selector=target)
    data = {
        "loop_count": 3, "break_conditions": [], "logical_operator": "and",
        "loop_variables": [{"label": "seen", "var_type": "array[object]", "value_type": "constant", "value": "[]"}],
    }  # fmt: skip
    nodes = [
        node("start", "start", variables=[]), code("made", f"def main(): return {{'one': {A}}}", one="object"),
        *container("loop", step, **data), node("end", "end", outputs=[{"variable": "o", "value_selector": target}]),
    ]  # fmt: skip
    edges = [edge("start", "made"), edge("made", "it"), edge("first", "set"), edge("it", "end")]
    last = bench.run(document(nodes, edges))[-1]["data"]
    assert (last["error"], last["outputs"]) == (None, {"o": [A, A, A]})


ONE = {"transfer_method": "remote_url", "url": "https://files.example/a.txt"}
TWO = {"transfer_method": "remote_url", "url": "https://files.example/b.txt"}
F, FS = ["start", "f"], ["start", "fs"]
# what is done with a list of files; how many it has after one turn and after two
FILES: list[tuple[dict[str, Any], int, int]] = [
    (second("over-write", FS, "variable"), 2, 2),
    (second("append", F, "variable"), 1, 2),
    (second("extend", FS, "variable"), 2, 4),
    (second("clear"), 0, 0),
    (first("over-write", FS), 2, 2),
    (first("append", F), 1, 2),
    (first("clear", F), 0, 0),
]
NO_FILES: list[tuple[dict[str, Any], str]] = [
    (second("append", FS, "variable"), "'append' does not take a list of files"),
    (second("over-write", F, "variable"), "'over-write' does not take the file a.txt"),
    (second("append", "a"), "'append' does not take a"),
    (first("append", FS), "'append' does not take a list of files"),
    (first("over-write", F), "'over-write' does not take the file a.txt"),
]


def with_files(bench: Bench, step: dict[str, Any]) -> list[Any]:
    """The error, or how many files a list has, after each of two turns."""
    declared = [{"variable": "f", "type": "file", "label": "f"}, {"variable": "fs", "type": "file-list", "label": "fs"}]
    nodes = [node("start", "start", variables=declared), step, template("told", "{{ v | length }}", v=V),
             node("answer", "answer", answer="{{#told.output#}}")]  # fmt: skip
    edges = [edge("start", "set"), edge("set", "told"), edge("told", "answer")]
    kept = [{"name": "v", "value_type": "array[file]", "value": []}]
    app = bench.app(document(nodes, edges, "advanced-chat", conversation_variables=kept))
    conversation: dict[str, Any] = {}
    found: list[Any] = []
    for _ in range(2):
        run = bench.start(app, {"f": ONE, "fs": [ONE, TWO]}, **conversation)
        last = bench.events(run)[-1]["data"]
        found.append(last["error"] or int(last["outputs"]["answer"]))
        conversation = {"conversation_id": run.conversation_id}
    return found


@pytest.mark.parametrize("case", FILES, ids=lambda case: _name(("files", None, case[0])))
def test_files_are_written_to_a_list_of_files_and_are_there_in_the_next_turn(
    bench: Bench, case: tuple[dict[str, Any], int, int]
) -> None:
    step, once, twice = case
    assert with_files(bench, step) == [once, twice]


@pytest.mark.parametrize("case", NO_FILES, ids=lambda case: _name(("files", None, case[0])))
def test_what_is_no_file_or_no_list_of_them_is_refused_by_its_name(
    bench: Bench, case: tuple[dict[str, Any], str]
) -> None:
    step, message = case
    assert with_files(bench, step) == [f"The variable conversation.v is of type array[file]: {message}"] * 2


def again(operation: str, value: Any, kind: str = "constant") -> dict[str, Any]:
    """An assigner that does the same forty times."""
    step = second(operation, value, kind)
    step["data"]["items"] *= 40
    return step


GROWING = {
    "a list put behind itself": ("array[number]", [1] * 1000, again("extend", V, "variable"), None),
    "a number multiplied": ("number", 10**12, again("*=", 10**9), None),
    "a number multiplied by itself": ("number", 10**12, again("*=", V, "variable"), None),
    "a fraction multiplied": ("number", 1.5e12, again("*=", 1e200), None),
    "a long list that gets a long text": ("array[string]", ["x" * 2_000_000] * 2, first("append"), "y" * 300_000),
}


@pytest.mark.parametrize("case", GROWING)
def test_a_variable_cannot_grow_beyond_its_limit(bench: Bench, case: str) -> None:
    kind, value, step, made = GROWING[case]
    error, _ = turns(bench, chat(kind, value, step, made))[0]
    assert (
        error
        == "The variable conversation.v would be larger than it may be: 4194304 characters, or a number of 64 bits"
    )


@pytest.mark.parametrize(
    "step", [second("/=", 2), second("over-write", 0.5), first("over-write")], ids=["2 /=", "2", "1"]
)
def test_a_run_goes_on_after_a_form_though_a_whole_number_became_another(bench: Bench, step: dict[str, Any]) -> None:
    flow = chat("number", 1, step, 0.5)
    graph = flow["graph"]
    graph["nodes"].append(forms.ask())
    graph["edges"] = [one for one in graph["edges"] if one["source"] != "set"]
    graph["edges"] += [edge("set", "review"), edge("review", "told", "approve")]
    run = bench.start(bench.app(flow))
    forms.answer(forms.token_of(bench.events(run)), comment="fine")
    last = bench.events(run)[-1]["data"]
    assert (last["error"], last["outputs"]["answer"]) == (None, "0.5")
