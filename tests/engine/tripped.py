"""A run that ends while its work is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.running.cancel import CancelToken
from tests.waiting import HANG


class TrippedAtWork(CancelToken):
    """Told to end by another thread, once something works or waits for it and ``also`` has happened."""

    def __init__(self, also: threading.Event | None = None) -> None:
        super().__init__()
        self._also = also

    @contextmanager
    def hook(self, action: Callable[[], None]) -> Iterator[None]:
        """As in the class itself; the end comes while the block runs."""
        with super().hook(action):
            self._later()
            yield

    def sleep(self, seconds: float) -> None:
        """As in the class itself; the end comes meanwhile."""
        self._later()
        super().sleep(seconds)

    def _later(self) -> None:
        threading.Thread(target=self._end).start()

    def _end(self) -> None:
        if self._also is None or self._also.wait(HANG):
            self.trip("stopped")
