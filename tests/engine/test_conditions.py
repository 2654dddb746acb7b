"""Conditions: every operator on every type of value, in branches and at the ends of loops, and about lists of files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.definition.adapt import node_data
from engine.files.runtime import graph_value
from engine.nodes.comparisons import CannotCompare, holds
from engine.nodes.conditions import Conditions
from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, end, node
from tests.engine.test_error_strategies import container

# the value, the operator, what it is compared with
TRUE: list[tuple[Any, str, Any]] = [
    ("hello", "contains", "ell"), ("hello", "contains", ""), ("hello", "contains", None), ("a1", "contains", 1),
    ("", "not contains", "x"), ("hello", "not contains", "x"), (None, "not contains", "x"), ([], "not contains", "x"),
    (["a"], "contains", "a"), ([1, 2.5], "contains", "2.5"), ([5], "contains", "5.0"), ([5], "not contains", "x"),
    ([True], "contains", "true"), ([False], "not contains", "True"), ([{"a": 1}], "not contains", "a"),
    ("hello", "start with", "he"), ("hello", "end with", "lo"),
    ("a", "is", "a"), ("a", "is not", "b"), ("", "is", ""), ("true", "is", True),
    (True, "is", "True"), (True, "is", "true"), (True, "is", "1"), (False, "is", False), (False, "is not", "yes"),
    (3, "is", "3"), (3, "is not", "4"),
    ("", "empty", None), ([], "empty", ""), (0, "empty", None), (False, "empty", None), (None, "empty", None),
    ("a", "not empty", None), ({"a": 1}, "not empty", None),
    ("a", "in", ["a", "b"]), ("a", "in", '["a"]'), (3, "in", ["3"]), ("a", "not in", ["b"]), ("", "not in", ["b"]),
    (["a", "b"], "all of", ["b", "a"]), ("hello", "all of", ["h", "o"]), ([True], "all of", ["true"]),
    (3, "=", "3"), (3, "=", "3.0"), (3, "=", 3), (2.5, "=", "2.5"), (3, "≠", "3.5"), (3, "≠", "2.5"),
    (12345678901234567, "≠", "12345678901234568"), (True, "=", "true"), (False, "≠", "true"),
    (3, ">", "2"), (3, ">", "2.5"), (3, "≥", "3"), (-1, "<", "0"), (2.5, "≤", " 2.5 "), (0, "<", "1"), (0, "=", "0"),
    (None, "null", None), (None, "not exists", None), ("", "not null", None), (0, "exists", None),
]  # fmt: skip
FALSE: list[tuple[Any, str, Any]] = [
    ("", "contains", "x"), ([5], "contains", "x"), ("", "start with", ""), (None, "end with", "x"),
    (None, "is", ""), (None, "is not", "x"), (None, "=", "1"), (None, "≠", "1"), (None, ">", "x"),
    ("", "in", [""]), ("a", "in", []), ([], "all of", ["a"]), (["a"], "all of", ["a", "b"]),
    (3, "=", "2.5"), (2.5, "=", "2"), (0, "not empty", None), ("a", "null", None), (None, "exists", None),
]  # fmt: skip
REFUSED: list[tuple[Any, str, Any, str]] = [
    (3, "contains", "3", "'contains' cannot be asked of c.v, which is a number"),
    ({"a": 1}, "contains", "a", "'contains' cannot be asked of c.v, which is an object"),
    (["a"], "start with", "a", "'start with' cannot be asked of c.v, which is a list"),
    (["a"], "is", "a", "'is' cannot be asked of c.v, which is a list"),
    (True, "is", "maybe", "'is' compares c.v with true or false, not with 'maybe'"),
    ("a", "in", "b", "'in' compares c.v with a list, not with 'b'"),
    ("a", ">", "1", "'>' cannot be asked of c.v, which is text"),
    (True, ">", "0", "'>' cannot be asked of c.v, which is a boolean"),
    (3, "=", "many", "'=' compares c.v with a number, not with 'many'"),
    (3, ">", "", "'>' compares c.v with a number, not with ''"),
]


@pytest.mark.parametrize("case", TRUE + FALSE, ids=str)
def test_a_value_is_compared_with_what_the_author_means(case: tuple[Any, str, Any]) -> None:
    assert holds("c.v", *case) is (case in TRUE)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_a_comparison_without_an_answer_says_of_what_and_why(case: tuple[Any, str, Any, str]) -> None:
    with pytest.raises(CannotCompare) as refused:
        holds("c.v", *case[:3])
    assert str(refused.value) == case[3]


def when(*conditions: dict[str, Any], operator: str | None = "and") -> dict[str, Any]:
    """A branch with one case, read as definitions are."""
    made = node(
        "way", "if-else", cases=[{"case_id": "true", "logical_operator": operator, "conditions": [*conditions]}]
    )
    node_data(made, [])
    return made


def asked(selector: list[str], operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"variable_selector": selector, "comparison_operator": operator, "value": value, **more}


VALUES = {"n": 3, "b": True, "list": ["a", "b"]}
KINDS = {"n": "number", "b": "boolean", "list": "array[string]"}


def branch(*conditions: dict[str, Any], operator: str | None = "and") -> dict[str, Any]:
    """start → values → the branch, whose result is the output."""
    make = code("c", f"import json\ndef main(): return json.loads('{json.dumps(VALUES)}')", **KINDS)
    nodes = [node("start", "start", variables=[]), make, when(*conditions, operator=operator)]
    nodes.append(end(result=["way", "result"]))
    return document(nodes, [edge("start", "c"), edge("c", "way"), edge("way", "end", "true"),
                            edge("way", "end", "false")])  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "operator", "result"),
    [
        ([asked(["c", "n"], "=", 3), asked(["c", "n"], ">", 2.5)], "and", True),
        ([asked(["c", "b"], "is", "{{#c.b#}}")], None, True),
        ([asked(["c", "b"], "in", [True, False])], "and", True),
        ([asked(["c", "n"], "in", [1, 2])], "and", False),
        ([asked(["c", "list"], "all of", "{{#c.list#}}")], "and", True),
        ([asked(["c", "n"], "=", 3), asked(["gone", "x"], "is", "x")], "or", True),
        ([asked(["c", "n"], "=", 4), asked(["c", "n"], "<", "{{#c.n#}}")], "or", False),
        ([], "and", True),
    ],
)
def test_a_branch_reads_numbers_switches_lists_and_templates(
    bench: Bench, conditions: list[dict[str, Any]], operator: str | None, result: bool
) -> None:
    last = bench.run(branch(*conditions, operator=operator))[-1]["data"]
    assert (last["error"], last["outputs"]) == (None, {"result": result})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (asked(["gone", "x"], "null"), "Variable gone.x not found"),
        (asked([], "null"), "A condition names no variable"),
        (asked(["c", "n"], "=", "many"), "'=' compares c.n with a number, not with 'many'"),
    ],
)
def test_a_branch_that_cannot_be_decided_fails_in_words(bench: Bench, condition: dict[str, Any], message: str) -> None:
    assert bench.run(branch(condition))[-1]["data"]["error"] == message


def loop(condition: dict[str, Any], kept: Any = 0) -> dict[str, Any]:
    """A loop of at most four rounds, which counts them."""
    variables = [{"label": "n", "var_type": "number", "value_type": "constant", "value": kept}]
    item = {"variable_selector": ["it", "n"], "operation": "+=", "value": 1, "input_type": "constant"}
    step = node("step", "assigner", version="2", items=[item])
    parts = container("loop", step, loop_count=4, break_conditions=[condition], loop_variables=variables)
    for part in parts:
        node_data(part, [])
    nodes = [node("start", "start", variables=[]), *parts, end(n=["it", "n"], rounds=["it", "loop_round"])]
    return document(nodes, [edge("start", "it"), edge("first", "step"), edge("it", "end")])


@pytest.mark.parametrize(
    ("condition", "rounds"),
    [
        (asked(["it", "n"], "≥", 2), 2),
        (asked(["it", "n"], "=", "3.0"), 3),
        (asked(["it", "n"], "=", "{{#it.n#}}"), 0),
        (asked(["it", "n"], ">", 9), 4),
    ],
)
def test_a_loop_ends_when_its_condition_holds(bench: Bench, condition: dict[str, Any], rounds: int) -> None:
    events = bench.run(loop(condition))
    last = events[-1]["data"]
    assert (last["error"], last["outputs"]) == (None, {"n": rounds, "rounds": rounds})
    told = next(event["data"] for event in events if event["event"] == "loop_completed")
    assert (told["outputs"], told["steps"]) == ({"n": rounds, "loop_round": rounds}, rounds)


def test_a_loop_whose_condition_has_no_answer_says_so(bench: Bench) -> None:
    last = bench.run(loop(asked(["it", "n"], "start with", "1"), 5))[-1]["data"]
    assert last["error"] == "'start with' cannot be asked of it.n, which is a number"


def within(*conditions: tuple[str, str, Any], operator: str = "and") -> dict[str, Any]:
    listed = [{"key": key, "comparison_operator": asks, "value": value} for key, asks, value in conditions]
    return {"logical_operator": operator, "conditions": listed}


FILES = [("a.txt", "document", 5), ("b.PNG", "image", 70)]
ABOUT_FILES: list[tuple[str, dict[str, Any], bool]] = [
    ("contains", within(("type", "in", ["image"])), True),
    ("contains", within(("type", "in", ["audio"])), False),
    ("not contains", within(("type", "in", ["audio"])), True),
    ("not contains", within(("name", "is", "a.txt")), False),
    ("all of", within(("type", "in", ["image", "document"])), True),
    ("all of", within(("type", "is", "image")), False),
    ("contains", within(("extension", "is", "png")), True),
    ("contains", within(("extension", "in", [".png", "gif"])), True),
    ("contains", within(("size", ">", 50)), True),
    ("contains", within(("size", ">", 500), ("name", "start with", "a"), operator="or"), True),
    ("contains", within(("size", ">", 500), ("name", "start with", "a")), False),
    ("contains", within(("name", "is not", "a.txt")), False),
]


@pytest.mark.parametrize("case", ABOUT_FILES, ids=str)
def test_a_list_of_files_is_asked_about_their_attributes(case: tuple[str, dict[str, Any], bool]) -> None:
    operator, sub, result = case
    assert _asked_of_files(operator, sub) is result


@pytest.mark.parametrize(
    ("sub", "message"),
    [
        (None, "'contains' asks nothing of the files in start.fs: it needs a condition on an attribute"),
        (within(("colour", "is", "red")), "Files have no attribute 'colour'; they have type, size, name"),
        (within(("size", ">", "big")), "'>' compares start.fs.size with a number, not with 'big'"),
    ],
)
def test_a_question_about_files_without_an_answer_says_why(sub: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(CannotCompare) as refused:
        _asked_of_files("contains", sub)
    assert str(refused.value).startswith(message)


def _asked_of_files(operator: str, sub: dict[str, Any] | None) -> bool:
    from graphon.nodes.if_else.entities import IfElseNodeData
    from graphon.runtime.variable_pool import VariablePool
    from graphon.variables.segments import ArrayFileSegment

    files = [
        graph_value({
            "dify_model_identity": "__dify__file__", "type": kind, "transfer_method": "local_file", "reference": name,
            "filename": name, "extension": f".{name.partition('.')[2]}", "mime_type": "x/y", "size": size,
        })
        for name, kind, size in FILES
    ]  # fmt: skip
    pool = VariablePool()
    pool.add(("start", "fs"), ArrayFileSegment(value=files))
    made = when(asked(["start", "fs"], operator, "", sub_variable_condition=sub))
    case = IfElseNodeData.model_validate(made["data"]).iter_cases()[0]
    return Conditions().process_conditions(variable_pool=pool, conditions=case.conditions, operator="and").final_result
