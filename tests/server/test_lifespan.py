"""How a server that is told to stop ends its runs."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from server.lifespan import SIGNALS, end_runs_on_signal
from tests.waiting import HANG, until_async


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the handlers of signals back."""
    before = [(number, signal.getsignal(number)) for number in SIGNALS]
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    yield
    for number, handler in before:
        signal.signal(number, handler)


def test_runs_are_ended_although_all_shared_threads_wait(handlers: None) -> None:
    """Else whoever holds them holds up the end of the server."""
    go, ended = threading.Event(), threading.Event()

    async def stop() -> None:
        end_runs_on_signal(ended.set)
        waiting = [asyncio.create_task(asyncio.to_thread(go.wait, HANG)) for _ in range(100)]
        await asyncio.sleep(0)
        try:
            signal.raise_signal(signal.SIGTERM)
            await until_async(ended.is_set, "the end of the runs")
        finally:
            go.set()
        await asyncio.gather(*waiting)

    asyncio.run(stop())
