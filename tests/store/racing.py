"""Run things at the same moment, in real threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.waiting import HANG


def race[T](*contenders: Callable[[], T]) -> list[T | Exception]:
    """Start all contenders together; out: what each returned or raised, in their order."""
    barrier = Barrier(len(contenders))

    def run(contender: Callable[[], T]) -> T | Exception:
        barrier.wait(timeout=HANG)
        try:
            return contender()
        except Exception as raised:
            return raised

    with ThreadPoolExecutor(len(contenders)) as pool:
        return list(pool.map(run, contenders))
