"""Waiting in tests: for what happens, never for a time, so that a busy machine changes nothing.

``HANG`` is the only time in the suite. Nothing takes that long, however busy the machine: who meets it has found
something that never happens. `tests/contract/test_no_clock.py` refuses other ways.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

HANG = 240.0  # seconds; below the limit that pytest sets each test, so that what was waited for is told
_PAUSE = 0.005


def until[T](condition: Callable[[], T], what: str = "", process: subprocess.Popen[Any] | None = None) -> T:
    """Wait until a condition holds; out: what it gave.

    ``what`` is told if that never happens; the end of ``process`` ends the wait as well.
    """
    give_up = time.monotonic() + HANG
    while not (found := condition()):
        assert process is None or process.poll() is None, f"the process ended before this happened: {what}"
        assert time.monotonic() < give_up, f"this did not happen: {what or condition}"
        time.sleep(_PAUSE)
    return found


def until_stuck(thread: int, over: Callable[[], object]) -> None:
    """Wait until another thread waits for something, or is over: ten looks find it at the same place in the code."""
    places: list[object] = []

    def looks_alike() -> bool:
        frame = sys._current_frames().get(thread)
        places.append(frame and (id(frame), frame.f_lasti))
        return bool(over()) or (len(places) >= 10 and len(set(places[-10:])) == 1)

    until(looks_alike, "another thread at a standstill")


async def until_async[T](condition: Callable[[], T], what: str = "") -> T:
    """As `until`, while others on the loop go on."""
    async with asyncio.timeout(HANG):
        while not (found := condition()):
            await asyncio.sleep(_PAUSE)
    return found


async def whole[T](work: Awaitable[T]) -> T:
    """Await something that ends."""
    return await asyncio.wait_for(work, HANG)
