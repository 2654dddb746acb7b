"""How much a value holds, and how many nodes of a graph work at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.models.table import ModelTable
from engine.running.weight import weight
from engine.running.workers import workers_for
from tests.engine.graphs import chat_document, code, document, edge, llm, node, template
from tests.engine.test_stop import fetching

SEGMENT = SimpleNamespace(value_type="string", value="four")
CHAIN = [edge("start", "a"), edge("a", "b")]
FORK = [edge("start", "a"), edge("start", "b")]
SLOW = {"delay_ms": 5}


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        ("abc", 3),
        (b"abc", 3),
        (7, 8),
        (None, 8),
        ([], 0),
        (["ab", 1], 16 + 2 + 8),
        (("ab",), 8 + 2),
        ({"key": "ab"}, 3 + 8 + 2),
        ({1: "ab"}, 8 + 2),
        (SEGMENT, 4),
        ([SEGMENT, {"a": ["b"]}], 16 + 4 + 9 + 8 + 1),
    ],
)
def test_a_value_weighs_its_characters_and_a_little_for_each_place(value: Any, counted: int) -> None:
    assert weight(value, 10_000) == counted


def test_what_is_too_heavy_is_not_counted_to_its_end() -> None:
    class Unread(str):
        def __len__(self) -> int:
            raise AssertionError("it was counted")

    assert weight([Unread("x"), "y" * 100], 50) == 116
    assert weight([Unread("x")] * 10, 79) == 80, "its places alone are too many"
    assert weight(["x"] * 10, 80) > 80, "as heavy as it may be is not too heavy"


@pytest.mark.parametrize(
    ("nodes", "edges", "workers"),
    [
        ([fetching("http://x"), llm("b")], FORK, 4),
        ([fetching("http://x"), llm("b")], CHAIN, 1),
        ([llm("a"), llm("b")], FORK, 1),
        ([llm("a", **SLOW), llm("b")], FORK, 4),
        ([llm("a", **SLOW), llm("b")], CHAIN, 1),
        ([llm("a", first_delay_ms=5), llm("b")], FORK, 4),
        ([template("a", "x"), code("b", "def main(): return {}")], FORK, 1),
        ([node("a", "tool", provider_id="time", tool_name="weekday"), llm("b")], FORK, 1),
        ([node("a", "tool", provider_id="weather", tool_name="forecast"), llm("b")], FORK, 4),
        ([node("a", "tool", provider_id="webscraper", tool_name="webscraper"), llm("b")], FORK, 4),
        ([node("a", "iteration", is_parallel=True), llm("b", **SLOW)], CHAIN, 4),
        ([node("a", "iteration", is_parallel=True), llm("b")], CHAIN, 1),
        ([node("a", "if-else"), llm("b", **SLOW)], [edge("a", "b", "true"), edge("a", "c", "false")], 1),
        ([node("a", "if-else"), llm("b", **SLOW)], [edge("a", "b", "true"), edge("a", "c", "true")], 4),
        ([node("a", "llm", model="no mapping"), llm("b")], FORK, 1),
    ],
)
def test_nodes_work_side_by_side_only_where_that_pays(nodes: list[Any], edges: list[Any], workers: int) -> None:
    assert workers_for(document(nodes, edges)["graph"], ModelTable()) == workers


def test_a_graph_of_one_branch_has_one_worker() -> None:
    assert workers_for(chat_document(delay_ms=5)["graph"], ModelTable()) == 1
