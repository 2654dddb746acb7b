"""Turns in reading large events from the store: each is in memory for as long as its reader takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

LARGE = 1024 * 1024  # characters of a batch


def is_large(batch: Sequence[tuple[int, str]]) -> bool:
    """Whether a batch of events is one whose reader needs a turn."""
    return sum(len(text) for _, text in batch) > LARGE


class LargeReads:
    """At most ``most`` readers of one subject hold a large batch at a time; 0: any number. Lives on one event loop.

    Attack: a reader that takes nothing of the 24 MB that a run has said holds them, and anybody may have 200 readers.
    """

    def __init__(self, most: int = 0) -> None:
        self._most = most
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, subject: str, seconds: float) -> AsyncGenerator[bool, None]:
        """Wait for a turn, which ends with the context; False after so many seconds without one."""
        if not self._most:
            yield True
            return
        turns = self._turns.get(subject) or asyncio.Semaphore(self._most)
        self._turns[subject] = turns
        try:
            async with asyncio.timeout(seconds):
                await turns.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            turns.release()
