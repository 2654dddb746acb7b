"""The table of promises in ``docs/trust.md`` names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from contract import ROOT

TESTS = ROOT / "tests"
PLANNED = {8, 10, 49, 57, 61, 63, 64, 77, 78}  # one that gets its test is taken off this list


def rows() -> dict[int, str]:
    """Each number, and what stands in its last column."""
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(found) == len({number for number, _ in found})
    return {int(number): tests for number, tests in found}


def named(tests: str) -> list[str]:
    """The tests of a row, each as a file, or as a file and a name."""
    return re.findall(r"`([\w/]+\.py(?:::\w+)?)`", tests)


@cache
def defined_in(file: Path) -> frozenset[str]:
    """The tests that a file defines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, functions) and one.name.startswith("test_"))


def test_the_table_has_every_promise_once() -> None:
    assert list(rows()) == list(range(1, 79))


def test_each_test_that_the_table_names_exists() -> None:
    missing = []
    for number, tests in rows().items():
        for one in named(tests):
            file, _, name = one.partition("::")
            if not (TESTS / file).is_file() or (name and name not in defined_in(TESTS / file)):
                missing.append((number, one))
    assert missing == []


def test_each_promise_has_a_test_unless_it_is_planned() -> None:
    assert {number for number, tests in rows().items() if tests.startswith("planned")} == PLANNED
    assert {number for number, tests in rows().items() if not named(tests)} <= PLANNED
