"""The event log of one live run: numbered payloads, written to the store in batches and then shown to followers.

Numbers start at 1 and have no gaps. An event is shown only once it is stored: what a reader has seen is never
taken back, and no number is used twice, when the process dies in the next moment. Followers are fed from memory.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from store.events import Batch
from store.refusal import Refusal

logger = logging.getLogger(__name__)

# Characters that a reader is given at a time: what it is slow to take waits in memory once more, for each reader.
AT_ONCE = 128 * 1024

# Writes events of a run from the given number on; False when the numbers are taken, and nothing was written.
Append = Callable[[str, int, list[str]], bool]
# Writes the next events, from the given number, and the end of their run: all, or nothing if it is not ours any more.
Record = Callable[[int, list[str]], bool]


class Follower:
    """One reader's wake-up; lives on the reader's event loop. ``lost`` says why it may read no more, ``subject`` whose
    reader it is.
    """

    def __init__(self, subject: str = "") -> None:
        self.subject = subject
        self.lost: Refusal | None = None
        self.loop = asyncio.get_running_loop()
        self.event = asyncio.Event()
        # Set while a wake-up is on its way, so that a burst of events costs one call into the loop, not one
        # each.
        self.notified = False

    def clear(self) -> None:
        """Wait for what happens from here on; to be called before looking at what has happened."""
        self.event.clear()
        self.notified = False

    async def news(self, seconds: float) -> bool:
        """Wait to be woken since `clear`; False after so many seconds without."""
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            return False
        return True

    def wake(self) -> None:
        """Wake the reader from any thread."""
        wake([self])


def wake(followers: Iterable[Follower]) -> None:
    """Wake readers from any thread: with one call into each of their loops, so that those of one loop look together."""
    asleep: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
    for one in followers:
        if not one.notified:
            one.notified = True
            asleep.setdefault(one.loop, []).append(one.event)
    for loop, events in asleep.items():
        # A closed loop raises: nobody reads there any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_set, events)


def _set(events: list[asyncio.Event]) -> None:
    for one in events:
        one.set()


class EventLog:
    """Thread-safe; `append`, `finish` and `halt` are for the run, the rest for readers and the writer."""

    def __init__(self, run_id: str, append: Append, base: int = 0) -> None:
        self.run_id = run_id
        # The number of the last event that an earlier part of the run has stored.
        self.base = base
        # Nothing comes after this in this log; `halted` says that the run itself goes on another time.
        self.finished = self.halted = False
        self._append = append
        self._ending: tuple[Sequence[str], Record] | None = None
        self._entries: list[str] = []
        self._written = 0
        # Whether the last attempt to write failed.
        self._troubled = False
        self._followers: set[Follower] = set()
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()

    def append(self, payload: str) -> None:
        """Add an event; readers learn of it with the next `flush`."""
        with self._lock:
            self._entries.append(payload)

    def finish(self, payloads: Sequence[str], record: Record) -> bool:
        """Have ``record`` store what is left, the last events and the run's end before any reader learns of them.

        A client that has seen the end must find the run ended wherever it looks next. Returns False when the store
        is away: `flush` tries it again.
        """
        with self._lock:
            self._ending = (payloads, record)
        return self.flush()

    def halt(self, payloads: Sequence[str], store: Callable[[int], bool], *, last: bool) -> bool:
        """Have ``store`` keep the next events and whatever belongs to them; it is given the first's number.

        Returns what ``store`` returned; only if that is true do readers learn of the events. ``last`` says
        that nothing comes after them in this log. Raises RuntimeError when earlier events cannot be stored.
        """
        self.flush()
        with self._write_lock:
            with self._lock:
                if self.finished:
                    return False
                if self._written != len(self._entries):
                    raise RuntimeError("the events before this moment could not be stored")
                first = self.base + self._written + 1
            if not store(first):
                return False
            with self._lock:
                self._entries.extend(payloads)
                self._written = len(self._entries)
                self.finished = self.halted = last
        self._wake()
        return True

    def abandon(self, *, told: bool = True) -> None:
        """Send the readers away: the rest is told elsewhere. What could not be stored is lost; without ``told`` that
        is not tried.
        """
        if told:
            self.flush()
        with self._lock:
            self.finished = self.halted = True
        self._wake()

    def flush(self) -> bool:
        """Store what is not stored yet, and show it; False when the store is away: then try again."""
        with self._write_lock:
            with self._lock:
                batch, ending = self._unwritten(), self._ending
            if self.finished or not (batch.payloads or ending):
                return True
            last, record = ending or ((), self._record)
            try:
                stored = record(batch.first_seq, [*batch.payloads, *last])
            except Exception:
                # Once: it is tried twice a second.
                if not self._troubled:
                    logger.exception("Events of run %s could not be written; it is tried again", self.run_id)
                self._troubled = True
                return False
            self._troubled = False
            with self._lock:
                if stored:
                    self._entries.extend(last)
                    self._written += len(batch.payloads) + len(last)
                else:
                    # Another process writes this run's events now: what this one still makes is dropped.
                    logger.warning("Run %s was taken over by another process", self.run_id)
                self.halted = not stored
                self.finished = self.halted or ending is not None
        self._wake()
        return True

    def claim(self) -> Batch | None:
        """Return what is not stored yet to somebody who stores it with other runs' events and then calls `settle`.

        None when there is nothing, when it is being stored in this moment, and when the run's end belongs to it:
        then `flush` is the way.
        """
        if not self._write_lock.acquire(blocking=False):
            return None
        with self._lock:
            batch = self._unwritten()
            if batch.payloads and self._ending is None and not self.finished:
                return batch
        self._write_lock.release()
        return None

    def settle(self, batch: Batch, *, stored: bool) -> None:
        """Show a claimed batch if it is stored; if not, nothing has happened."""
        with self._lock:
            self._written += len(batch.payloads) if stored else 0
        self._write_lock.release()
        if stored:
            self._wake()

    def _unwritten(self) -> Batch:
        return Batch(self.run_id, self.base + self._written + 1, self._entries[self._written :])

    def _record(self, first_seq: int, payloads: list[str]) -> bool:
        return self._append(self.run_id, first_seq, payloads)

    def _wake(self) -> None:
        with self._lock:
            followers = list(self._followers)
        wake(followers)

    def since(self, seq: int) -> tuple[list[tuple[int, str]], bool]:
        """Return stored events after ``seq`` (``base`` or more), the next handful, and whether nothing can come after
        them.
        """
        with self._lock:
            found, size = [], 0
            for place in range(max(0, seq - self.base), self._written):
                found.append((self.base + place + 1, self._entries[place]))
                size += len(self._entries[place])
                if size >= AT_ONCE:
                    return found, self.finished and place + 1 == self._written
            return found, self.finished

    @property
    def last(self) -> int:
        """The number of the last event that is stored."""
        with self._lock:
            return self.base + self._written

    def join(self, follower: Follower) -> None:
        """Begin to wake a reader."""
        with self._lock:
            self._followers.add(follower)

    def leave(self, follower: Follower) -> None:
        """Stop waking a reader."""
        with self._lock:
            self._followers.discard(follower)
