"""Whose runs may be taken over at once: only those of processes that certainly do not run any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.running.worker_name import forget, is_gone, new_name
from tests.waiting import HANG

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux says when a process began")


def test_a_worker_of_this_process_lives_until_it_is_forgotten() -> None:
    name = new_name()
    assert not is_gone(name)
    forget(name)
    assert is_gone(name)


def test_a_worker_lives_as_long_as_its_process() -> None:
    script = "from engine.running.worker_name import new_name; print(new_name(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert not is_gone(name)
    process.stdin.close()
    process.wait(HANG)
    process.stdout.close()
    assert is_gone(name)


def test_a_process_that_has_an_earlier_one_s_number_is_not_taken_for_it() -> None:
    name = new_name()
    place, pid, began, token = name.split("/")
    assert is_gone(f"{place}/{pid}/{int(began) - 1}/{token}")
    forget(name)


@pytest.mark.parametrize("kind", ["another machine", "another container of the same host name"])
def test_of_processes_elsewhere_nothing_is_known(kind: str) -> None:
    name = new_name()
    forget(name)
    place, _, rest = name.partition("/")
    host, _, space = place.partition("@")
    other = f"other@{space}" if kind == "another machine" else f"{host}@{space[:-1]}{'1' if space[-1] == '0' else '0'}"
    assert is_gone(name)
    assert not is_gone(f"{other}/{rest}")


def test_a_run_that_nobody_holds_may_be_taken() -> None:
    assert is_gone("")
