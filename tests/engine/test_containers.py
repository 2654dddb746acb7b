"""Iterations and loops: what they begin with, and what they say when that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from engine.definition.adapt import node_data
from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, end, node, template
from tests.engine.test_error_strategies import container

# type, what the author wrote, what the variable is
CONSTANTS: list[tuple[str, Any, Any]] = [
    ("string", "x", "x"), ("string", 5, "5"), ("string", None, ""),
    ("number", "5", 5), ("number", 2.5, 2.5), ("number", "", 0), ("integer", 3, 3),
    ("boolean", "true", True), ("boolean", "", False),
    ("object", '{"a": 1}', {"a": 1}), ("object", {"a": 1}, {"a": 1}), ("object", None, {}),
    ("array[string]", '["a"]', ["a"]), ("array[string]", ["a"], ["a"]), ("array[string]", "", []),
    ("array[number]", [1, "2"], [1, 2]), ("array[object]", [{"a": 1}], [{"a": 1}]), ("array[boolean]", "", []),
]  # fmt: skip


def loop(*variables: dict[str, Any]) -> dict[str, Any]:
    """start → a loop of one round → end, which tells its variables."""
    data = {"loop_count": 1, "break_conditions": [], "logical_operator": "and", "loop_variables": [*variables]}
    parts = container("loop", template("inner", "x"), **data)
    node_data(parts[0], [])
    nodes = [
        node("start", "start", variables=[]),
        *parts,
        end(**{one["label"]: ["it", one["label"]] for one in variables}),
    ]
    return document(nodes, [edge("start", "it"), edge("first", "inner"), edge("it", "end")])


def constant(label: str, kind: str, value: Any) -> dict[str, Any]:
    return {"label": label, "var_type": kind, "value_type": "constant", "value": value}


def test_a_loops_variables_begin_as_their_constants_read_as_their_types(bench: Bench) -> None:
    made = [constant(f"v{number}", kind, value) for number, (kind, value, _) in enumerate(CONSTANTS)]
    last = bench.run(loop(*made))[-1]["data"]
    assert last["error"] is None
    assert list(last["outputs"].values()) == [value for _, _, value in CONSTANTS]


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (constant("n", "number", "many"), "The loop variable 'n' of type number cannot begin so: 'many' is no number"),
        (
            {**constant("n", "string", ["gone", "x"]), "value_type": "variable"},
            "The loop variable 'n' begins as gone.x, which was not found",
        ),
        (
            constant("n", "file", None),
            "The node is not complete: loop_variables.0.var_type: this type is not possible here",
        ),
    ],
)
def test_a_loop_that_cannot_begin_names_the_variable(bench: Bench, variable: dict[str, Any], message: str) -> None:
    assert bench.run(loop(variable))[-1]["data"]["error"] == message


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (["make", "word"], "The variable make.word is no list: it is of type string"),
        (["gone", "list"], "Variable gone.list not found"),
    ],
)
def test_an_iteration_without_a_list_names_the_variable(bench: Bench, selector: list[str], message: str) -> None:
    make = code("make", "def main(): return {'word': 'abc'}", word="string")
    data = {"iterator_selector": selector, "output_selector": ["inner", "output"]}
    nodes = [node("start", "start", variables=[]), make, *container("iteration", template("inner", "x"), **data), end()]
    edges = [edge("start", "make"), edge("make", "it"), edge("first", "inner"), edge("it", "end")]
    assert bench.run(document(nodes, edges))[-1]["data"]["error"] == message
