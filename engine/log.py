"""The event log of one live run: numbered payloads, kept in memory for followers and written to the store in
batches.

Numbers start at 1 and have no gaps. Followers are fed from memory; the batches make sure that a reader who
comes later, or after a restart, finds the same events under the same numbers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

logger = logging.getLogger(__name__)

Append = Callable[[str, int, list[str]], None]
FLUSH_SECONDS = 0.02


class Follower:
    """One reader's wake-up; lives on the reader's event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        # Set while a wake-up is on its way, so that a burst of events costs one call into the loop, not one
        # each.
        self.notified = False

    def wake(self) -> None:
        """Wake the reader from any thread."""
        if self.notified:
            return
        self.notified = True
        # A closed loop raises: nobody reads there any more.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.event.set)


class EventLog:
    """Thread-safe; `append` and `finish` are for the run, the rest for readers and the writer."""

    def __init__(self, run_id: str, append: Append, base: int = 0) -> None:
        self.run_id = run_id
        # The number of the last event that an earlier part of the run has stored.
        self.base = base
        # Nothing comes after this in this log; `halted` says that the run itself goes on another time.
        self.finished = self.halted = False
        self._append = append
        self._entries: list[str] = []
        self._written = 0
        self._followers: set[Follower] = set()
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()

    def append(self, payload: str) -> None:
        """Add an event and wake the readers."""
        with self._lock:
            self._entries.append(payload)
            followers = list(self._followers)
        for follower in followers:
            follower.wake()

    def finish(self, payloads: Sequence[str], record: Callable[[], None]) -> None:
        """Write the last events and ``record`` the run's end before any reader learns of them.

        A client that has seen the end must find the run ended wherever it looks next.
        """
        self.flush(payloads)
        try:
            record()
        except Exception:
            logger.exception("The end of run %s could not be recorded", self.run_id)
        with self._lock:
            self._entries.extend(payloads)
            self._written = len(self._entries)
            self.finished = True
            followers = list(self._followers)
        for follower in followers:
            follower.wake()

    def halt(self, payloads: Sequence[str], store: Callable[[int], bool], *, last: bool) -> bool:
        """Have ``store`` keep the next events and whatever belongs to them; it is given the first's number.

        Returns what ``store`` returned; only if that is true do readers learn of the events. ``last`` says
        that nothing comes after them in this log. Raises RuntimeError when earlier events cannot be stored.
        """
        self.flush()
        with self._write_lock:
            with self._lock:
                if self._written != len(self._entries):
                    raise RuntimeError("the events before this moment could not be stored")
                first = self.base + self._written + 1
            if not store(first):
                return False
            with self._lock:
                self._entries.extend(payloads)
                self._written = len(self._entries)
                self.finished = self.halted = last
                followers = list(self._followers)
        for follower in followers:
            follower.wake()
        return True

    def abandon(self) -> None:
        """Send the readers away: the rest is told elsewhere. What could not be stored is lost."""
        self.flush()
        with self._lock:
            self.finished = self.halted = True
            followers = list(self._followers)
        for follower in followers:
            follower.wake()

    def flush(self, more: Sequence[str] = ()) -> None:
        """Write what is not yet in the store, and ``more`` after it."""
        with self._write_lock:
            with self._lock:
                first, batch = self._written, [*self._entries[self._written :], *more]
            if not batch:
                return
            try:
                self._append(self.run_id, self.base + first + 1, batch)
            except Exception:
                # Live readers are served from memory; the next flush tries the same events again.
                logger.exception("Events of run %s could not be written", self.run_id)
                return
            with self._lock:
                self._written = max(self._written, first + len(batch) - len(more))

    def since(self, seq: int) -> tuple[list[tuple[int, str]], bool]:
        """Return the events after ``seq`` (``base`` or more) and whether nothing can come after them."""
        with self._lock:
            places = range(max(0, seq - self.base), len(self._entries))
            found = [(self.base + place + 1, self._entries[place]) for place in places]
            return found, self.finished

    def join(self, follower: Follower) -> None:
        """Begin to wake a reader."""
        with self._lock:
            self._followers.add(follower)

    def leave(self, follower: Follower) -> None:
        """Stop waking a reader."""
        with self._lock:
            self._followers.discard(follower)
