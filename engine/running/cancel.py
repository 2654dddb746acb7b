"""The flag that ends a run early, checked by everything in it that may wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancelled(Exception):
    """The run was told to end while this work was under way."""


class CancelToken:
    """One per run. ``trip`` may be called from any thread, any number of times; the first reason stays.

    ``owner`` is whose run it is, for what has to be shared out (`engine.running.places`).
    """

    def __init__(self, owner: str = "") -> None:
        self.owner = owner
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._hooks: dict[int, Callable[[], None]] = {}
        self._next = 0
        self.reason: str | None = None

    @property
    def tripped(self) -> bool:
        """Whether the run was told to end."""
        return self._event.is_set()

    def trip(self, reason: str) -> None:
        """End the run: wake every sleeper and call every hook (each hook must not block)."""
        with self._lock:
            if self._event.is_set():
                return
            self.reason = reason
            self._event.set()
            hooks = list(self._hooks.values())
        for hook in hooks:
            hook()

    def check(self) -> None:
        """Raise `Cancelled` if the run was told to end."""
        if self._event.is_set():
            raise Cancelled(self.reason or "stopped")

    def sleep(self, seconds: float) -> None:
        """Wait, but not past the end of the run: raises `Cancelled` as soon as it is told."""
        if self._event.wait(seconds):
            raise Cancelled(self.reason or "stopped")

    @contextmanager
    def hook(self, action: Callable[[], None]) -> Iterator[None]:
        """While the block runs, ``trip`` calls ``action`` (closing a socket, killing a worker)."""
        with self._lock:
            self._next += 1
            key = self._next
            self._hooks[key] = action
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._hooks.pop(key, None)
