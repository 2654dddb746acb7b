"""A run in progress: the one place where its events are masked and numbered, and where it ends, once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from engine.events.failures import INTERNAL
from engine.events.log import EventLog
from engine.events.masking import secrets_of
from engine.events.payloads import Payloads
from engine.events.said import Said
from engine.events.wire import Wire
from engine.events.writer import Writer
from engine.files.run_files import RunFiles
from engine.knowledge.citations import Citations
from engine.models.meter import Meter
from engine.running import ending
from engine.running.cancel import CancelToken
from engine.running.context import RunContext
from engine.running.held import Held
from engine.running.outcome import Carried, Outcome, Progress

logger = logging.getLogger(__name__)

STOPPED = "Stopped by user."


class LiveRun:
    """Thread-safe: the engine's threads emit, any thread may `end`; what comes after that is dropped."""

    def __init__(
        self,
        context: RunContext,
        log: EventLog,
        writer: Writer,
        record: Callable[[RunContext, Outcome, int, list[str]], bool],
        now: Callable[[], int],
        carried: Carried = Carried(),
        max_bytes: int = 64 * 1024 * 1024,
        speaks: bool = False,
        held: Held | None = None,
    ) -> None:
        self.context, self.log, self.cancel = context, log, CancelToken(context.caller.subject)
        self.payloads = Payloads(context)
        self.files = RunFiles(context)
        self.progress: Progress | None = None
        # Whether its first event was sent, or its engine went on.
        self.begun = False
        # Why the run broke, as its last event will say if it does.
        self.cause = INTERNAL
        self.ended = threading.Event()
        self.abandoned = False
        self._writer, self._record, self._now = writer, record, now
        self._text = Wire(context, self.files)
        self._began = time.monotonic()
        self._carried = carried
        self.said = Said(carried.answer, secrets_of(context.document))
        # Bytes of the events so far, of the processes before this one too.
        self.told, self._max_bytes = carried.told, max_bytes
        # What it holds in memory in this process, as it counts for its caller.
        self._held, self._holds = held or Held(), 0
        self._speaks = speaks
        self._release: Callable[[], None] | None = None
        # The file values of what the model of an app without a workflow made beside its text.
        self.made: list[dict[str, Any]] = []
        self.citations = Citations(context.document, carried.citations)
        self.meter = Meter(carried.usage)
        self._lock = threading.RLock()

    def take_turn(self, context: RunContext) -> None:
        """Know what was said before; to be called before `begin`."""
        with self._lock:
            self.context, self.payloads = context, Payloads(context)

    def begin(self) -> None:
        """Send the first event, if it was not sent yet and the run has not ended.

        That a run goes on was told when it was taken up (`engine.running.recovery.reset_to`).
        """
        with self._lock:
            if not self.begun and not self.ended.is_set():
                self.begun = True
                self._began = time.monotonic()
                if self.context.is_flow and not self._carried.resumes:
                    self._put(self.payloads.workflow_started())

    def emit(self, produce: Callable[[], Iterable[dict[str, Any]]]) -> None:
        """Send what ``produce`` makes, unless the run has ended.

        It is called under the run's lock, so that the end finds each node either finished or still open.
        """
        with self._lock:
            if self.ended.is_set():
                return
            for payload in self.said.veiled(produce()):
                fits = self._put(payload)
                if self.told > self._max_bytes:
                    self.end("failed", self._too_much, {})
                    return
                if not fits:
                    self.end("failed", self._too_much_together, {})
                    return

    def hold(self, count: int) -> None:
        """Take note that its values hold so many characters more, or less; it ends when its caller's runs together hold
        more than they may.
        """
        with self._lock:
            if not self.ended.is_set() and not self._count(count):
                self.end("failed", self._too_much_together, {})

    def _count(self, count: int) -> bool:
        self._holds += count
        return self._held.add(self.context.caller.subject, count)

    def _over(self) -> None:
        self.ended.set()
        self._count(-self._holds)

    def halt(
        self,
        produce: Callable[[], list[dict[str, Any]]],
        store: Callable[[int, list[str]], bool],
        *,
        last: bool = True,
    ) -> bool:
        """Stand still: have ``store`` keep the next events and all that belongs to them, if the run has not ended.

        ``store`` is given the first event's number and the events; if it returns false nothing has happened.
        With ``last`` nothing is sent after them in this process.
        """
        with self._lock:
            if self.ended.is_set():
                return False
            self._tell_kept()
            texts = [self._text(payload) for payload in produce()]
            self.told += sum(map(len, texts))
            if not self.log.halt(texts, lambda first: store(first, texts), last=last):
                return False
            if last:
                self._over()
        return True

    def abandon(self, reason: str, *, told: bool = True) -> None:
        """Let go of the run without a word: another worker has it, or will. With ``told`` what it has said so far is
        stored first.
        """
        with self._lock:
            if self.ended.is_set():
                return
            self._over()
            self.abandoned = True
            self.log.abandon(told=told)
        self.cancel.trip(reason)

    def await_end(self, seconds: float) -> bool:
        """Whether nothing more is told here within so many seconds; what there was is stored then."""
        if not self.ended.wait(seconds):
            return False
        with self._lock:  # held until the end is stored
            return True

    def clean(self, value: Any) -> Any:
        """Return JSON values without the values of secrets."""
        return orjson.loads(self._text(value))

    def on_release(self, action: Callable[[], None]) -> None:
        """Have `release` call ``action``."""
        self._release = action

    def forget(self) -> None:
        """Let go of the engine, which is done: a reader may hold on to the events for long, at its own pace."""
        with self._lock:
            self.progress = self._release = None

    def release(self) -> bool:
        """Ask the run to stand still soon so that another process can go on; False if it cannot be asked."""
        release = self._release
        if release is None:
            return False
        release()
        return True

    @property
    def elapsed(self) -> float:
        """Seconds of work so far, in this process and before."""
        return round(self._carried.elapsed + time.monotonic() - self._began, 6)

    @property
    def answer(self) -> str:
        """The text told so far."""
        return self.said.text

    def end(self, status: str, error: str | None = None, outputs: Mapping[str, Any] | None = None) -> bool:
        """End the run: last events, then the store, then the readers. Returns False if it had ended already.

        While the store is away the end waits for it; nobody is told of it before it is stored.

        Everything that still works for the run is told to stop and finds its events dropped, so the end does
        not wait for a node that is slow to notice.
        """
        with self._lock:
            if self.ended.is_set():
                return False
            self.begin()
            self._tell_kept()
            self._over()
            outcome = ending.outcome(self, status, error, outputs)
            if outcome.error is None and self.told + len(self._text(outcome.outputs)) > self._max_bytes:
                outcome = ending.outcome(self, "failed", self._too_much, {})
            last = ending.events(self, outcome, speaks=self._speaks, at=self._now())
            texts = [self._text(payload) for payload in last]
            if not self.log.finish(texts, lambda first, batch: self._record(self.context, outcome, first, batch)):
                self._writer.mark(self.log)
        self.cancel.trip(error or status)
        return True

    @property
    def _too_much(self) -> str:
        return f"Aborted: Maximum output size exceeded: more than {self._max_bytes} bytes"

    @property
    def _too_much_together(self) -> str:
        return (
            "Aborted: Maximum output size exceeded: your runs at work hold more than"
            f" {self._held.most} characters together; let fewer work at a time"
        )

    def _tell_kept(self) -> None:
        for payload in self.said.kept():
            self._put(payload)

    def _put(self, payload: dict[str, Any]) -> bool:
        self.said.note(payload)
        text = self._text(payload)
        self.told += len(text)
        fits = self._count(len(text))
        self.log.append(text)
        self._writer.mark(self.log)
        return fits
