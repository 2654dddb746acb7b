"""Running tests again and again in children that share what is slow to import and unaffected: other people's code."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OURS = ("handlers", "server", "store", "engine", "web", "contract", "tests")
KILLED, SURVIVED, HUNG = "killed", "survived", "hung"
_CRASHED = "crashed"
_TESTS_FAILED = 1
_ALONE = ("-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--timeout", "300",
          "-o", "addopts=--strict-markers --import-mode=importlib")  # fmt: skip


def preload(modules: list[str]) -> None:
    """Import what these modules of ours import of others, but none of ours: those are to be read anew each time."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        for name in modules:
            importlib.import_module(name)
        os.write(writing, json.dumps([name for name in sys.modules if name.partition(".")[0] not in OURS]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = json.load(pipe)
    os.waitpid(pid, 0)
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            continue


def tested(tests: list[str], seconds: float, output: Path, *plugins: object) -> str:
    """Whether the tests notice what the tree is like now. ``seconds`` is the guard against a hang.

    A child that a signal ended is tried once more, for it may have been Python's own fault and not the change's.
    """
    for _ in range(2):
        if (became := _once(tests, seconds, output, plugins)) != _CRASHED:
            return became
    return KILLED


def _once(tests: list[str], seconds: float, output: Path, plugins: Sequence[object]) -> str:
    if not (pid := os.fork()):
        _child(tests, seconds, output, plugins)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            _end_group(pid)
            if os.WIFSIGNALED(status):
                return _CRASHED
            return SURVIVED if status == 0 else KILLED
        time.sleep(0.02)
    _end_group(pid)
    os.waitpid(pid, 0)
    return HUNG


def _child(tests: list[str], seconds: float, output: Path, plugins: Sequence[object]) -> Any:
    code = _TESTS_FAILED
    try:
        os.setsid()
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        import pytest

        from tests import waiting

        # What never happens is waited for only as long as this change may take.
        waiting.HANG = min(waiting.HANG, 10 + seconds / 10)
        code = pytest.main([*_ALONE, *tests], plugins=plugins)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
