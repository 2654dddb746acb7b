"""Which tests enter which functions: a change is tried first with those that can notice it."""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from contract import ROOT

_TOOL = sys.monitoring.COVERAGE_ID
_ENTRIES = sys.monitoring.events.PY_START | sys.monitoring.events.PY_RESUME
Touched = dict[str, list[str]]  # tests, in the order in which they run, by `file:line` of a function's begin


class Recorder:
    """A plugin of pytest that notes, into a file, which functions of some files each test enters, on any thread."""

    def __init__(self, files: list[str], output: Path) -> None:
        self._names = {str(ROOT / file): file for file in files}
        self._output, self._test = output, ""
        self._found: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def pytest_sessionstart(self) -> None:
        """Begin to watch."""
        sys.monitoring.use_tool_id(_TOOL, "touched")
        for event in (sys.monitoring.events.PY_START, sys.monitoring.events.PY_RESUME):
            sys.monitoring.register_callback(_TOOL, event, self._entered)
        sys.monitoring.set_events(_TOOL, _ENTRIES)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what is entered from here on for this test."""
        self._test = item.nodeid
        sys.monitoring.restart_events()
        return (yield)

    def pytest_sessionfinish(self) -> None:
        """Write what was found."""
        sys.monitoring.free_tool_id(_TOOL)
        self._output.write_text(json.dumps({place: [*tests] for place, tests in self._found.items()}), encoding="utf-8")

    def _entered(self, code: CodeType, offset: int) -> Any:
        if self._test and (file := self._names.get(code.co_filename)):
            self._found[f"{file}:{code.co_firstlineno}"][self._test] = None
        return sys.monitoring.DISABLE


def tests_of(touched: Touched, file: str, line: int) -> list[str]:
    """The tests that enter the innermost function which holds a line; none are known for a line outside of all."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    holders = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body[0].lineno <= line <= (node.end_lineno or 0)
    ]
    if not holders:
        return []
    inner = max(holders, key=lambda node: node.lineno)
    begin = min([inner.lineno, *(one.lineno for one in inner.decorator_list)])
    return touched.get(f"{file}:{begin}", [])
