"""One thread that writes the waiting events of all runs together, as soon as they are told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from engine.events.log import EventLog
from store import patience
from store.events import Batch

logger = logging.getLogger(__name__)

# Between two rounds, so that under load one write carries many events. The first event of a quiet moment does
# not wait: its reader sees it when it is stored.
GATHER_SECONDS = 0.005
_RETRY_SECONDS = 0.5
AT_ONCE = 2 * 1024 * 1024  # characters of several runs in one transaction


class Writer:
    """Gathers logs with unwritten events. `mark` is cheap and may be called for every event.

    ``append_all`` stores the events of several runs, all or none (`store.events.append_all`).
    """

    def __init__(self, append_all: Callable[[Iterable[Batch]], None]) -> None:
        self._append_all = append_all
        self._dirty: set[EventLog] = set()
        self._wake = threading.Condition()
        self._closed = self._asleep = False
        self._thread: threading.Thread | None = None

    def mark(self, log: EventLog) -> None:
        """Have a log written within a few milliseconds."""
        with self._wake:
            if log in self._dirty:
                return
            self._dirty.add(log)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="run-events", daemon=True)
                self._thread.start()
            # While it gathers it looks by itself, and waking it would cost a change of threads.
            if self._asleep:
                self._wake.notify()

    def close(self) -> None:
        """Write what waits and end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(5)

    def _loop(self) -> None:
        patience.keep()
        wrote = 0.0
        while True:
            with self._wake:
                while not self._dirty and not self._closed:
                    self._asleep = True
                    self._wake.wait()
                self._asleep = False
                if not self._dirty:
                    return
            time.sleep(max(0.0, wrote + GATHER_SECONDS - time.monotonic()))
            with self._wake:
                dirty, self._dirty = self._dirty, set()
            failed = self._write(dirty)
            dirty.clear()  # or the last logs are kept until others have something to write
            wrote = time.monotonic()
            if failed:
                with self._wake:
                    if self._closed:
                        return
                    self._dirty |= failed
                    self._wake.wait(_RETRY_SECONDS)

    def _write(self, logs: set[EventLog]) -> set[EventLog]:
        """Write what the logs hold; returns those that have to be tried again."""
        alone = set(logs)
        claimed = {log: batch for log in logs if (batch := log.claim()) is not None}
        try:
            for some in _handfuls(list(claimed.items())):
                self._append_all([batch for _, batch in some])
                for log, batch in some:
                    del claimed[log]
                    alone.discard(log)
                    log.settle(batch, stored=True)
        except Exception:
            # One run's trouble is not the others': each is written alone, and tells what is wrong with it.
            logger.debug("Writing the events of %d runs at once failed", len(claimed), exc_info=True)
        finally:
            for log, batch in claimed.items():
                log.settle(batch, stored=False)
        return {log for log in alone if not log.flush()}


def _handfuls(claimed: list[tuple[EventLog, Batch]]) -> Iterator[list[tuple[EventLog, Batch]]]:
    """Those that fit into ``AT_ONCE`` characters together, the smallest first, then each of the larger ones alone: a
    transaction of megabytes keeps all other writers waiting.
    """
    sized = sorted(((sum(map(len, batch.payloads)), at) for at, (_, batch) in enumerate(claimed)))
    some, size = list[tuple[EventLog, Batch]](), 0
    for length, at in sized:
        if some and size + length > AT_ONCE:
            yield some
            some, size = [], 0
        some.append(claimed[at])
        size += length
    if some:
        yield some
