"""The variable aggregator: the first variable that has a value, alone or in groups."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, end, node

NOTHING, ZERO, MISSING = ["make", "nothing"], ["make", "zero"], ["gone", "x"]


def either(name: str, *variables: list[str]) -> dict[str, Any]:
    return node(name, "variable-aggregator", output_type="string", variables=[*variables])


def test_the_first_that_has_a_value_is_taken_and_null_is_none(bench: Bench) -> None:
    made = code("make", "def main(): return {'word': 'x', 'nothing': None, 'zero': 0}", word="string", nothing="string",
                zero="number")  # fmt: skip
    groups = [{"group_name": name, "output_type": "string", "variables": listed}
              for name, listed in (("one", [MISSING, ["make", "word"]]), ("two", [MISSING]))]  # fmt: skip
    grouped = node("grouped", "variable-aggregator", output_type="any", variables=[],
                   advanced_settings={"group_enabled": True, "groups": groups})  # fmt: skip
    steps = [either("first", MISSING, ["make", "word"]), either("second", NOTHING, ["make", "word"]),
             either("third", ZERO, ["make", "word"]), either("none", NOTHING, MISSING), grouped]  # fmt: skip
    nodes = [node("start", "start", variables=[]), made, *steps]
    last = end(
        **{name: [name, "output"] for name in ("first", "second", "third", "none")},
        one=["grouped", "one", "output"], two=["grouped", "two", "output"],
    )  # fmt: skip
    names = [one["id"] for one in [*nodes, last]]
    edges = [edge(source, target) for source, target in pairwise(names)]
    outputs = bench.run(document([*nodes, last], edges))[-1]["data"]["outputs"]
    assert outputs == {"first": "x", "second": "x", "third": 0, "none": None, "one": "x", "two": None}
