"""What open streams wait for, asked for all of them together: something new of runs that this process does not
execute, and the loss of what their readers were let in to.

However many readers there are, there is one question to the database for the runs, four times a second, and one for
what access rests on, once a second and at once when this process took something away; none while nobody reads.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.events.log import Follower, wake
from store import access, patience, progress, revocations
from store.access import Access, Marks
from store.progress import Page, Progress
from store.refusal import Refusal

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_TICKS_TO_ACCESS = 4
_GAP_SECONDS = 0.05  # after a look that was asked for, however often that happens
_AT_ONCE = 64 * 1024  # characters of events that are read from the store at a time


@dataclass
class _Watched:
    """A run that readers wait for. ``version`` counts what is known to have happened to it."""

    readers: set[Follower] = field(default_factory=set)
    seen: Progress | None = None
    version: int = 0


class Watch:
    """Thread-safe. ``look_at_runs`` and ``look_at_access`` are the ticks; `begin` has a thread make them."""

    def __init__(self) -> None:
        self._runs: dict[str, _Watched] = {}
        self._admitted: dict[Access, set[Follower]] = {}
        self._marks: dict[Access, Marks] = {}
        # Reads under way, of the event loops that wait for them.
        self._reads: dict[tuple[object, ...], asyncio.Future[Page]] = {}
        self._lock = threading.Lock()
        self._doubted, self._closed = threading.Event(), threading.Event()
        self._troubled: set[str] = set()
        self._thread = threading.Thread(target=self._loop, name="stream-watch", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        revocations.listen(self.doubt)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and wake every reader."""
        revocations.leave(self.doubt)
        self._closed.set()
        self._doubted.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5)
        self.wake_all()

    def wake_all(self) -> None:
        """Wake every reader of a run: nothing more comes from here."""
        with self._lock:
            readers = [one for run in self._runs.values() for one in run.readers]
        wake(readers)

    def doubt(self) -> None:
        """Access may have been taken away: look at once."""
        self._doubted.set()

    def join(self, run_id: str, reader: Follower) -> None:
        """Begin to wake a reader when something of this run was stored; again changes nothing."""
        with self._lock:
            self._runs.setdefault(run_id, _Watched()).readers.add(reader)

    def leave(self, run_id: str, reader: Follower) -> None:
        """Stop waking a reader."""
        with self._lock:
            watched = self._runs.get(run_id)
            if watched is not None:
                watched.readers.discard(reader)
                if not watched.readers:
                    del self._runs[run_id]

    def touch(self, run_id: str) -> None:
        """Wake the readers of a run that this process has changed."""
        with self._lock:
            watched = self._runs.get(run_id)
            readers = list(watched.readers) if watched else []
            if watched:
                watched.version += 1
        wake(readers)

    def admit(self, what: Access, reader: Follower) -> None:
        """Begin to tell a reader (``Follower.lost``) when it loses this access."""
        with self._lock:
            self._admitted.setdefault(what, set()).add(reader)

    def dismiss(self, what: Access, reader: Follower) -> None:
        """Stop looking after a reader's access."""
        with self._lock:
            readers = self._admitted.get(what, set())
            readers.discard(reader)
            if not readers:
                self._admitted.pop(what, None)
                self._marks.pop(what, None)

    async def read(self, run_id: str, after: int) -> Page:
        """The next events of a run that the caller has joined; readers that are at the same place share one look into
        the store, if nothing is known to have happened since it began. Refusals: service_unavailable.
        """
        with self._lock:
            watched = self._runs.get(run_id)
            version = watched.version if watched else -1
        key = (asyncio.get_running_loop(), run_id, after, version)
        reading = self._reads.get(key)
        if reading is None:
            reading = asyncio.ensure_future(asyncio.to_thread(progress.page, run_id, after, _AT_ONCE))
            self._reads[key] = reading
            reading.add_done_callback(lambda done: self._over(key, done))
        try:
            # One reader that leaves must not take the answer from the others.
            return await asyncio.shield(reading)
        except Refusal:
            with self._lock:
                if watched:
                    watched.seen = None  # when the store is back whoever found it away looks again
            raise

    def _over(self, key: tuple[object, ...], reading: asyncio.Future[Page]) -> None:
        self._reads.pop(key, None)
        if not reading.cancelled():
            reading.exception()  # seen, also if nobody waits for it any more

    def look_at_runs(self) -> None:
        """Wake the readers of the runs that have changed."""
        with self._lock:
            run_ids = list(self._runs)
        if not run_ids:
            return
        try:
            now = progress.of(run_ids)
        except Exception:
            # Nobody knows what happens meanwhile.
            with self._lock:
                for watched in self._runs.values():
                    watched.seen = None
            raise
        for run_id in run_ids:
            with self._lock:
                known, found = self._runs.get(run_id), now.get(run_id)
                has_changed = known is not None and (found is None or known.seen != found)
                if known:
                    known.seen = found
            if has_changed:
                self.touch(run_id)

    def look_at_access(self) -> None:
        """Tell the readers that have lost what they were let in to."""
        with self._lock:
            held = list(self._admitted)
        if not held:
            return
        for what, now in zip(held, access.marks(held), strict=True):
            if self._marks.get(what) == now:
                continue
            refusal = access.refusal(what)
            with self._lock:
                if refusal is None:
                    if what in self._admitted:
                        self._marks[what] = now
                    continue
                lost = self._admitted.pop(what, set())
                self._marks.pop(what, None)
            for one in lost:
                one.lost = refusal
            wake(lost)

    def _loop(self) -> None:
        patience.keep()
        ticks = 0
        while not self._closed.is_set():
            doubted = self._doubted.wait(_TICK_SECONDS)
            self._doubted.clear()
            if self._closed.is_set():
                return
            ticks += 1
            if doubted or ticks % _TICKS_TO_ACCESS == 0:
                self._do("access", self.look_at_access)
            self._do("runs", self.look_at_runs)
            if doubted:
                self._closed.wait(_GAP_SECONDS)

    def _do(self, name: str, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception:
            # The store may be away, and what readers are told comes out of it. Said once: it is tried again and again.
            if name not in self._troubled:
                logger.exception("Open streams could not be looked after (%s); it is tried again", name)
            self._troubled.add(name)
        else:
            self._troubled.discard(name)
