"""List operators: every operation on every kind of list, in a workflow and in the rounds of containers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.definition.adapt import node_data
from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, end, node
from tests.engine.test_error_strategies import container

BEES = [
    {"name": "Ada", "age": 3, "queen": True, "of": {"hive": "north"}},
    {"name": "Bea", "age": 1, "queen": False, "of": {"hive": "south"}},
    {"name": "Cia", "age": 2, "of": {"hive": "north"}},
]
LISTS: dict[str, tuple[str, list[Any]]] = {
    "words": ("array[string]", ["bee", "cow", "", "beetle"]),
    "numbers": ("array[number]", [3, 1.5, 2, 10]),
    "switches": ("array[boolean]", [True, False, True]),
    "bees": ("array[object]", BEES),
    "none": ("array[string]", []),
}


def operator(variable: list[str], **parts: Any) -> dict[str, Any]:
    """A list operator with the given parts switched on."""
    on = {name: {"enabled": True, **part} for name, part in parts.items()}
    made = node("pick", "list-operator", variable=variable, **on)
    node_data(made, [])
    return made


def where(operation: str, value: Any = "", key: str = "") -> dict[str, Any]:
    return {"conditions": [{"key": key, "comparison_operator": operation, "value": value}]}


def flow(kind: str, **parts: Any) -> dict[str, Any]:
    """start → a list → the operator → end."""
    declared, values = LISTS[kind]
    text = f"import json\ndef main():\n    return {{'list': json.loads('''{json.dumps(values)}''')}}"
    made = [
        node("start", "start", variables=[]), code("make", text, list=declared), operator(["make", "list"], **parts),
        end(result=["pick", "result"], first=["pick", "first_record"], last=["pick", "last_record"]),
    ]  # fmt: skip
    return document(made, [edge("start", "make"), edge("make", "pick"), edge("pick", "end")])


def last(events: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(events[-1]["data"])


def names(*wanted: str) -> list[dict[str, Any]]:
    return [bee for name in wanted for bee in BEES if bee["name"] == name]


CASES: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("words", {}, ["bee", "cow", "", "beetle"]),
    ("words", {"filter_by": where("contains", "ee")}, ["bee", "beetle"]),
    ("words", {"filter_by": where("not contains", "ee")}, ["cow", ""]),
    ("words", {"filter_by": where("start with", "b")}, ["bee", "beetle"]),
    ("words", {"filter_by": where("end with", "e")}, ["bee", "beetle"]),
    ("words", {"filter_by": where("is", "cow")}, ["cow"]),
    ("words", {"filter_by": where("is not", "cow")}, ["bee", "", "beetle"]),
    ("words", {"filter_by": where("in", ["cow", "bee"])}, ["bee", "cow"]),
    ("words", {"filter_by": where("not in", ["cow", "bee"])}, ["", "beetle"]),
    ("words", {"filter_by": where("empty")}, [""]),
    ("words", {"filter_by": where("not empty")}, ["bee", "cow", "beetle"]),
    ("words", {"order_by": {"value": "desc"}}, ["cow", "beetle", "bee", ""]),
    ("words", {"extract_by": {"serial": "2"}}, ["cow"]),
    ("words", {"extract_by": {"serial": 1}}, ["bee"]),
    ("words", {"limit": {"size": 2}}, ["bee", "cow"]),
    ("words", {"limit": {"size": 0}}, []),
    ("words", {"limit": {}}, ["bee", "cow", "", "beetle"]),
    ("words", {"filter_by": where("contains", "ee"), "order_by": {"value": "desc"}, "limit": {"size": 1}}, ["beetle"]),
    ("words", {"filter_by": where("contains", "ee"), "extract_by": {"serial": "2"}, "limit": {"size": 5}}, ["beetle"]),
    ("words", {"filter_by": {"conditions": []}}, ["bee", "cow", "", "beetle"]),
    ("numbers", {"filter_by": where("=", "2")}, [2]),
    ("numbers", {"filter_by": where("≠", 2)}, [3, 1.5, 10]),
    ("numbers", {"filter_by": where(">", "2")}, [3, 10]),
    ("numbers", {"filter_by": where("≥", "3")}, [3, 10]),
    ("numbers", {"filter_by": where("<", 2.5)}, [1.5, 2]),
    ("numbers", {"filter_by": where("≤", "2")}, [1.5, 2]),
    ("numbers", {"order_by": {"value": "asc"}}, [1.5, 2, 3, 10]),
    ("switches", {"filter_by": where("is", True)}, [True, True]),
    ("switches", {"filter_by": where("is not", "true")}, [False]),
    ("bees", {"filter_by": where("is", "Bea", "name")}, names("Bea")),
    ("bees", {"filter_by": where("≥", "2", "age")}, names("Ada", "Cia")),
    ("bees", {"filter_by": where("is", True, "queen")}, names("Ada")),
    ("bees", {"filter_by": where("empty", "", "queen")}, names("Cia")),
    ("bees", {"filter_by": where("is", "north", "of.hive"), "order_by": {"key": "age"}}, names("Cia", "Ada")),
    ("bees", {"order_by": {"key": "queen", "value": "desc"}}, names("Ada", "Bea", "Cia")),
    ("bees", {"extract_by": {"serial": "3"}}, names("Cia")),
    ("bees", {"limit": {"size": 1}}, names("Ada")),
    ("none", {"extract_by": {"serial": "7"}, "limit": {"size": 1}}, []),
]


@pytest.mark.parametrize(("kind", "parts", "result"), CASES, ids=[f"{c[0]} {json.dumps(c[1])}" for c in CASES])
def test_a_list_is_filtered_taken_from_sorted_and_cut(
    bench: Bench, kind: str, parts: dict[str, Any], result: list[Any]
) -> None:
    end = last(bench.run(flow(kind, **parts)))
    first, final = (result[0], result[-1]) if result else (None, None)
    assert (end["error"], end["outputs"]) == (None, {"result": result, "first": first, "last": final})


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("words", {"extract_by": {"serial": "9"}}, "The serial to extract must be from 1 to 4, not 9"),
    ("words", {"extract_by": {"serial": "0"}}, "The serial to extract must be from 1 to 4, not 0"),
    ("words", {"extract_by": {"serial": "two"}}, "The serial to extract must be a whole number, not 'two'"),
    ("words", {"filter_by": where(">", "1")}, "Invalid condition: >"),
    ("numbers", {"filter_by": where(">", "many")}, "A number is compared with a number, not with 'many'"),
    ("numbers", {"filter_by": where("contains", "1")}, "Invalid condition: contains"),
    ("switches", {"filter_by": where("is", "maybe")}, "A boolean is compared with true or false, not with 'maybe'"),
    ("bees", {"filter_by": where("is", "x", "of")}, "'is' cannot be asked of a list or an object"),
]


@pytest.mark.parametrize(("kind", "parts", "message"), WRONG, ids=[case[2] for case in WRONG])
def test_what_cannot_be_done_with_a_list_is_said_in_words(
    bench: Bench, kind: str, parts: dict[str, Any], message: str
) -> None:
    end = last(bench.run(flow(kind, **parts)))
    assert (end["status"], end["error"]) == ("failed", message)


@pytest.mark.parametrize(
    ("declared", "value", "kind"),
    [("string", "'x'", "string"), ("number", "5", "integer"), ("object", "{'a': 1}", "object")],
)
def test_something_else_than_a_list_is_named_without_a_class(
    bench: Bench, declared: str, value: str, kind: str
) -> None:
    made = code("make", f"def main(): return {{'list': {value}}}", list=declared)
    nodes = [node("start", "start", variables=[]), made, operator(["make", "list"]), end(result=["pick", "result"])]
    found = last(bench.run(document(nodes, [edge("start", "make"), edge("make", "pick"), edge("pick", "end")])))
    assert found["error"] == f"The variable make.list is no list: it is of type {kind}"


@pytest.mark.parametrize("kind", ["iteration", "loop"])
def test_a_list_operator_works_in_each_round_of_a_container(bench: Bench, kind: str) -> None:
    """In an iteration on the item, which is a list of objects; in a loop on a loop variable."""
    groups = {"list": [{"bees": BEES}, {"bees": BEES[:2]}]}
    text = f"import json\ndef main():\n    return json.loads('''{json.dumps(groups)}''')"
    source = ["it", "item", "bees"] if kind == "iteration" else ["it", "left"]
    pick = operator(source, order_by={"key": "age"}, limit={"size": 1})
    data: dict[str, Any] = {"iterator_selector": ["make", "list"], "output_selector": ["pick", "first_record"]}
    keep: list[dict[str, Any]] = []
    if kind == "loop":
        data = {
            "loop_count": 2, "break_conditions": [], "logical_operator": "and",
            "loop_variables": [{"label": "left", "var_type": "array[object]", "value_type": "constant",
                                "value": json.dumps(BEES)}],
        }  # fmt: skip
        item = {"variable_selector": source, "input_type": "variable", "operation": "over-write"}
        keep = [
            node("keep", "assigner", "it", version="2", loop_id="it", items=[{**item, "value": ["pick", "result"]}])
        ]
    nodes = [
        node("start", "start", variables=[]),
        code("make", text, list="array[object]"),
        *container(kind, pick, **data),
        *keep,
        end(result=["it", "output" if kind == "iteration" else "left"]),
    ]
    edges = [edge("start", "make"), edge("make", "it"), edge("first", "pick"), edge("it", "end")]
    edges += [edge("pick", "keep")] if keep else []
    found = last(bench.run(document(nodes, edges)))
    assert found["error"] is None
    assert found["outputs"] == {"result": [BEES[1], BEES[1]] if kind == "iteration" else [BEES[1]]}


FILES = [
    {"transfer_method": "remote_url", "url": f"https://files.example/{name}"} for name in ("b.txt", "a.PNG", "c.pdf")
]
OF_FILES: list[tuple[dict[str, Any], list[str]]] = [
    ({"filter_by": where("in", ["image", "audio"], "type")}, ["a.PNG"]),
    ({"filter_by": where("is", "png", "extension")}, ["a.PNG"]),
    ({"filter_by": where("not in", [".png", "pdf"], "extension")}, ["b.txt"]),
    ({"filter_by": where("<", 5, "size"), "order_by": {"key": "name", "value": "desc"}}, ["c.pdf", "b.txt", "a.PNG"]),
    ({"order_by": {"key": "name", "value": "asc"}, "limit": {"size": 2}}, ["a.PNG", "b.txt"]),
]


def of_files(**parts: Any) -> dict[str, Any]:
    """start, which takes files → the operator → end."""
    declared = [{"variable": "fs", "type": "file-list", "label": "fs"}]
    made = [node("start", "start", variables=declared), operator(["start", "fs"], **parts), end(o=["pick", "result"])]
    return document(made, [edge("start", "pick"), edge("pick", "end")])


@pytest.mark.parametrize("case", OF_FILES, ids=str)
def test_files_are_picked_and_sorted_by_their_attributes(bench: Bench, case: tuple[dict[str, Any], list[str]]) -> None:
    parts, wanted = case
    found = last(bench.run(of_files(**parts), {"fs": FILES}))
    assert (found["error"], [file["filename"] for file in found["outputs"]["o"]]) == (None, wanted)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"filter_by": where("is", "red", "colour")}, "Files have no attribute 'colour'; they have type, size, name"),
        (
            {"order_by": {"key": "", "value": "asc"}},
            "Files have no attribute '' to sort by; they have type, size, name",
        ),
        ({"filter_by": where(">", "big", "size")}, "'>' compares start.fs.size with a number, not with 'big'"),
    ],
)
def test_files_that_cannot_be_picked_or_sorted_so_are_refused_in_words(
    bench: Bench, parts: dict[str, Any], message: str
) -> None:
    assert last(bench.run(of_files(**parts), {"fs": FILES}))["error"].startswith(message)
