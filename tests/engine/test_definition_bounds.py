"""Definitions that are made to cost much, or to break the importer: each is refused, or read, with little work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from engine.definition import yaml_guard
from engine.definition.reading import Definition, DefinitionError, load
from engine.definition.yaml_caps import is_small_json

HEAD = "version: 0.6.0\nkind: app\napp: {name: n, mode: workflow}\n"
HEAD += "workflow: {graph: {nodes: [{id: s, data: {type: start}}]}}\n"
START = {"id": "s", "data": {"type": "start"}}
TOO_LONG = "a number must fit in 64 bits"


def flow(nodes: list[Any], edges: list[Any] | None = None, **more: Any) -> str:
    graph = {"nodes": [START, *nodes], "edges": edges or []}
    return json.dumps({
        "version": "0.6.0", "kind": "app", "app": {"name": "n", "mode": "workflow"},
        "workflow": {"graph": graph, **more},
    })  # fmt: skip


def refused(text: str) -> DefinitionError | None:
    """Why a definition was refused; None if it was not."""
    try:
        load(text)
    except DefinitionError as error:
        return error
    return None


def lines_of(work: Callable[[], Any]) -> int:
    """How many lines of Python a piece of work executes in the package that reads definitions."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        if "engine/definition" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("1" * 100_000, TOO_LONG),
        ("1" * 100_000 + ".5", TOO_LONG),
        ("0x" + "f" * 1000, TOO_LONG),
        ("1" + "_" * 1000, TOO_LONG),
        ("0b" + "1" * 1000, TOO_LONG),
        ("0" + "7" * 1000, TOO_LONG),
        ("!!int ''", "is not a value"),
        ("!!float ''", "is not a value"),
        ("!!bool x", "is not a value"),
        ("!!int x", "is not a value"),
        (
            "!!python/object/apply:os.system [id]",
            "the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed",
        ),
        ("&a [*a]", "refers to nothing, or to itself"),
        ("1\nx: 2", "the key 'x' is given twice"),
        ("\n\tb: 1", "found character"),
        ("'" + "x" * 10 * 2**20 + "'", "larger than 10 MB"),
        (".nan", "must be finite"),
    ],
    ids=lambda one: str(one)[:20],
)
def test_a_value_that_no_definition_has_is_refused_in_words(written: str, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        load(f"{HEAD}x: {written}")


@pytest.mark.parametrize(
    "written", ["12:30", "1" + ":59" * 100_000, "1" + ":59" * 100_000 + ".5"], ids=["short", "long", "float"]
)
def test_a_time_of_day_is_text_and_no_number_to_the_base_of_sixty(written: str) -> None:
    source = f"{HEAD[:-1]}".replace("{type: start}", f"{{type: start, title: {written}}}")
    assert load(source).document["graph"]["nodes"][0]["data"]["title"] == written


def test_a_billion_laughs_are_refused_before_anything_is_built() -> None:
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    laughs += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert lines_of(lambda: refused(laughs)) < 5000


def test_json_with_too_many_values_is_refused_without_building_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_guard.json, "loads", lambda *_, **__: pytest.fail("all of it was built"))
    with pytest.raises(DefinitionError, match="more than 200000 values"):
        load('{"a":[' + "[]," * 300_000 + "1]}")


@pytest.mark.parametrize(
    ("piece", "small"), [("1,", False), ('{"a":1},', False), ("[[[]]],", False), ('"[{,,\\"",', True)]
)
def test_how_many_values_json_holds_is_told_from_its_text(piece: str, small: bool) -> None:
    assert is_small_json("[" + piece * (250_000 if not small else 60_000) + "1]") is small


def test_thousands_of_directives_are_refused_for_they_are_compared_with_each_other() -> None:
    with pytest.raises(DefinitionError, match="more than 16 %TAG directives"):
        load("".join(f"%TAG !a{n}! tag:x,{n}:\n" for n in range(5000)) + "--- a")


GRAPHS: dict[str, Callable[[int], str]] = {
    "containers": lambda n: flow([{"id": f"l{i}", "data": {"type": "loop"}} for i in range(n)]),
    "containers with a node each": lambda n: flow(
        [{"id": f"l{i}", "data": {"type": "loop"}} for i in range(n)]
        + [{"id": f"c{i}", "parentId": f"l{i}", "data": {"type": "code"}} for i in range(n)]
    ),
    "containers in each other": lambda n: flow(
        [{"id": f"l{i}", "parentId": f"l{i + 1}", "data": {"type": "loop"}} for i in range(n)]
    ),
    "containers in a circle": lambda n: flow(
        [{"id": f"l{i}", "parentId": f"l{(i + 1) % n}", "data": {"type": "loop"}} for i in range(n)]
    ),
    "edges of one id": lambda n: flow(
        [{"id": f"n{i}", "data": {"type": "code"}} for i in range(n)],
        [{"id": "e", "source": "s", "target": f"n{i}"} for i in range(n)],
    ),
    "a long chain": lambda n: flow(
        [{"id": f"n{i}", "data": {"type": "code"}} for i in range(n)],
        [{"source": f"n{i}", "target": f"n{i + 1}"} for i in range(n - 1)],
    ),
    "a long chain, from its end": lambda n: flow(
        [{"id": f"n{i}", "data": {"type": "code"}} for i in range(n)],
        [{"source": f"n{i + 1}", "target": f"n{i}"} for i in range(n - 1)],
    ),
}


@pytest.mark.parametrize("shape", GRAPHS)
def test_twice_as_large_a_graph_takes_twice_the_work(shape: str) -> None:
    def read(size: int) -> None:
        why = refused(GRAPHS[shape](size))
        assert why is None or "nested more than 20 levels" in str(why)

    read(10)
    assert lines_of(lambda: read(120)) < 2.5 * lines_of(lambda: read(60))


@pytest.mark.parametrize("name", [["a"], {"a": 1}, [["a", {}]]])
def test_a_list_or_a_mapping_where_a_name_belongs_is_no_accident(name: Any) -> None:
    reference = [name, "text"]
    nodes = [{"id": 7, "data": {"type": "answer", "title": name, "variables": [{"value_selector": reference}]}}]
    variables = [{"name": "v", "value_type": name, "value": "x"}]
    made = load(flow(nodes, environment_variables=variables, conversation_variables=variables))
    assert made.document["environment_variables"][0]["value_type"] == "string"
    assert made.document["graph"]["nodes"][1]["data"]["variables"][0]["value_selector"] == reference
    for key in ("mode", "icon_type", "name", "icon"):
        app = {"name": "n", "mode": "workflow", key: name}
        whole = {"app": app, "workflow": {"graph": {"nodes": [START]}}, "version": "0.6.0", "kind": name}
        why = refused(json.dumps(whole))
        assert why is None or why.key == f"app.{key}"


@pytest.mark.parametrize("text", ["[" * 100_000, "[1e999]", "[NaN]", '["\\ud800"]', '["\\u0000"]', f"[{'9' * 30}]"])
def test_json_within_a_text_holds_nothing_that_json_around_it_may_not(text: str) -> None:
    variables = [{"name": "v", "value_type": "array[any]", "value": text}]
    made = load(flow([], environment_variables=variables))
    assert made.document["environment_variables"][0]["value"] == []
    assert "is empty at first" in made.warnings[0]
    schema = f'{{"type": "object", "default": {text}}}'
    variable = {"variable": "x", "type": "json_object", "json_schema": schema}
    start = {"id": "s2", "data": {"type": "start", "variables": [variable]}}
    with pytest.raises(DefinitionError) as told:
        load(flow([start]))
    assert told.value.key.endswith("variables[0].json_schema")


def test_what_is_told_of_a_definition_is_short_however_long_its_names_are() -> None:
    long = "k" * 100_000
    with pytest.raises(DefinitionError) as told:
        load(f"{HEAD}? {long}\n: 1\n? {long}\n: 2\n")
    assert len(str(told.value)) < 1000
    made: Definition = load(flow([{"id": long, "data": {"type": long}}], [1] * 1000))
    assert len(made.warnings) == 201
    assert max(map(len, made.warnings)) <= 500


def test_yaml_written_by_a_library_reads_as_it_was() -> None:
    values = [
        1,
        -1,
        1.5,
        True,
        None,
        "1:30",
        "12:30:45",
        "0x1F",
        "1_000",
        "yes",
        "~",
        "2024-01-01",
        "é",
        "",
        "1e5",
        2**63 - 1,
    ]
    text = yaml.safe_dump({"version": "0.6.0", "kind": "app", "app": {"name": "n", "mode": "workflow"}, "workflow": {
        "graph": {"nodes": [{"id": "s", "data": {"type": "start", "kept": values}}]}}})  # fmt: skip
    assert load(text).document["graph"]["nodes"][0]["data"]["kept"] == values
