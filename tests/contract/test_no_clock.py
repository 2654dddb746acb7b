"""No test goes by the clock: on a busy machine it would fail, and on an idle one it would wait.

What counts as going by it: to sleep, to read a clock, to give up a wait before a minute is over. `tests/waiting.py` has
what serves instead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PATIENT = 60  # seconds that a wait for something has at least

# Who may, and why. Each line has to be true: one that is not needed fails.
ALLOWED = {
    ("waiting.py", "time.monotonic"): "notices a hang",
    ("waiting.py", "time.sleep"): "between two looks at what is waited for",
    ("waiting.py", "asyncio.sleep"): "the same",
    ("engine/test_limits.py", "time.monotonic"): "under a clock that the test moves by hours",
    ("engine/test_local_model.py", "time.monotonic"): "a real model: skipped unless it is installed",
    ("engine/test_local_model.py", "wait"): "the same",
    ("server/test_slow_addresses.py", "wait"): "a server that answers in drips",
    ("engine/test_openai_model.py", "wait"): "the same",
    ("engine/chat_server.py", "asyncio.sleep"): "the same",
    ("recovery/test_store_away.py", "time.sleep"): "so long the database is away",
    ("recovery/test_store_away.py", "time.monotonic"): "the same",
}  # fmt: skip

CLOCKS = {
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "thread_time",
    "time",
    "time_ns",
}
# What waits: the place of its seconds among its arguments, where they may stand without a name.
WAITS = {
    "wait": 0, "join": 0, "acquire": 1, "result": 0, "exception": 0, "settimeout": 0, "timeout": 0, "Timeout": 0,
    "wait_for": 1, "Timer": 0, "call_later": 0, "communicate": 1, "get": None,
    "post": None, "put": None, "head": None, "delete": None, "request": None, "stream": None, "Client": None,
    "AsyncClient": None, "run": None, "create_connection": 1, "connect": None,
}  # fmt: skip


def suites() -> list[Path]:
    """The files of all suites; what tries changes of the code is none."""
    return sorted(file for file in TESTS.rglob("*.py") if "mutation" not in file.parts)


def by_the_clock(text: str) -> Iterator[tuple[str, int]]:
    """What in a file goes by the clock, and in which line."""
    tree = ast.parse(text)
    named = {
        target.id: one.value
        for one in tree.body
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for one in ast.walk(tree):
        if isinstance(one, ast.ImportFrom) and one.module == "time":
            yield from ((f"time.{name.name}", one.lineno) for name in one.names)
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "time":
            if one.attr == "sleep" or one.attr in CLOCKS:
                yield f"time.{one.attr}", one.lineno
        elif isinstance(one, ast.Call):
            name = one.func.attr if isinstance(one.func, ast.Attribute) else getattr(one.func, "id", "")
            if name == "sleep" and isinstance(one.func, ast.Attribute) and ast.unparse(one.func.value) == "asyncio":
                if not (one.args and ast.unparse(one.args[0]) == "0"):
                    yield "asyncio.sleep", one.lineno
            elif name in WAITS and any(seconds < PATIENT for seconds in _seconds(one, WAITS[name], named)):
                yield name, one.lineno


def _seconds(call: ast.Call, place: int | None, named: dict[str, ast.expr]) -> Iterator[float]:
    given = [one.value for one in call.keywords if one.arg == "timeout"]
    if place is not None:
        given += call.args[place : place + 1]
    for value in given:
        one = named.get(value.id) if isinstance(value, ast.Name) else value
        if isinstance(one, ast.Constant) and isinstance(one.value, int | float) and not isinstance(one.value, bool):
            yield one.value


def test_no_test_goes_by_the_clock() -> None:
    used, found = set(), []
    for file in suites():
        name = str(file.relative_to(TESTS))
        for what, line in by_the_clock(file.read_text()):
            if (name, what) in ALLOWED:
                used.add((name, what))
            else:
                found.append(f"tests/{name}:{line}: {what}")
    assert found == [], "see tests/waiting.py"
    assert set(ALLOWED) - used == set(), "not needed any more"


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(1)", "from time import monotonic", "began = time.perf_counter()", "asyncio.sleep(0.1)",
        "assert done.wait(5)", "thread.join(timeout=2)", "lock.acquire(timeout=10)", "asyncio.timeout(10)",
        "asyncio.wait_for(work, 2)", "threading.Timer(0.2, end)", "httpx.get(url, timeout=30)",
        "process.communicate(timeout=10)", "loop.call_later(0.3, answer)", "socket.settimeout(0.1)",
        "SOON = 20\nassert done.wait(SOON)",
        "queue.get(timeout=5)",
    ],
)  # fmt: skip
def test_the_guard_sees(line: str) -> None:
    assert list(by_the_clock(line))


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.sleep(0)", "assert done.wait(HANG)", "', '.join(words)", "thread.join()", "config.get('a', 5)",
        "asyncio.timeout(HANG)", "httpx.get(url)", "event.wait(60)", "clock.advance(5)", "model(timeout_seconds=0.3)",
    ],
)  # fmt: skip
def test_the_guard_lets_pass(line: str) -> None:
    assert not list(by_the_clock(line))
