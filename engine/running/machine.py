"""The threads and pools that execute runs, from their start or from where they stood still."""

from __future__ import annotations

import logging
import threading
from functools import partial

from engine.config import EngineConfig
from engine.events.log import EventLog
from engine.events.speech import speaks
from engine.events.writer import Writer
from engine.large_reads import LargeReads
from engine.running import letting_go, loading, opening, taking_up, worker_name
from engine.running.context import RunContext
from engine.running.held import Held
from engine.running.live import STOPPED, LiveRun
from engine.running.outcome import Carried, Outcome
from engine.running.saved import Saved
from engine.running.threads import Threads
from engine.running.timers import Timers
from engine.running.turns import Turns
from engine.running.workplace import workplace
from engine.watch import Watch
from store import events as stored
from store import leases, patience
from store import runs as rows
from store.clock import current
from store.refusal import Refusal

logger = logging.getLogger(__name__)


class Machine:
    """One configured engine; ``live`` holds the runs that work here now, by id."""

    def __init__(self, config: EngineConfig) -> None:
        self.config, self.place = config, workplace(config)
        self.threads = Threads(config.max_concurrent_runs)
        self.writer, self.timers = Writer(stored.append_all), Timers()
        self.turns = Turns(lambda live: self._submit(live))
        self.run_memory = Held(config.max_run_bytes_per_subject)
        self.watch, self.large_reads = Watch(), LargeReads(config.large_reads_per_subject)
        self.live: dict[str, LiveRun] = {}
        # Runs that this worker holds and takes up when a thread is free: whose they are, by id.
        self.waiting: dict[str, str] = {}
        # Runs that no process had room for when it was looked last, by id (`engine.running.recovery`).
        self.passed_over: set[str] = set()
        self.lock = threading.Lock()
        self.closed = False

    @property
    def holder(self) -> str:
        """The name under which a run that begins, or goes on, here is held; empty when others execute all."""
        return self.place.worker if self.config.max_concurrent_runs else ""

    def start(self, context: RunContext) -> None:
        """Execute a run that was just stored for the `holder`."""
        if not self.holder:
            return
        live = self.live_run(context, EventLog(context.run_id, stored.claim))
        with self.lock:
            self.live[context.run_id] = live
        self._submit(live)

    def _submit(self, live: LiveRun) -> None:
        try:
            self.threads.submit(live.context.caller.subject, lambda: self._work(live, None))
        except RuntimeError:
            # It was closed between the caller's check and here: another process begins it.
            letting_go.leave(self, live)

    def take_up(self, row: rows.Run) -> None:
        """Go on, in the background, with a run that this worker holds: from its checkpoint, or from its start if
        it has not begun.
        """
        if not self.holder:
            return
        with self.lock:
            self.waiting[row.id] = row.subject
        try:
            self.threads.submit(row.subject, lambda: self._take_up(row.id))
        except RuntimeError:
            self.waiting.pop(row.id, None)
            leases.release(row.id, self.place.worker)

    def has(self, run_id: str) -> bool:
        """Whether a run works here, or is about to."""
        with self.lock:
            return run_id in self.live or run_id in self.waiting

    def held(self) -> set[str]:
        """The ids of the runs that `has` is true of."""
        with self.lock:
            return {*self.live, *self.waiting}

    def room(self) -> int:
        """How many more runs could work here now."""
        return self.config.max_concurrent_runs - len(self.held()) + len(self.turns)

    def lets_in(self, subject: str) -> bool:
        """Whether a run that was begun elsewhere may wait here although there is no room: more wait here than can work,
        and none of them is its caller's.
        """
        with self.lock:
            here = {*self.waiting.values(), *(live.context.caller.subject for live in self.live.values())}
        return self.room() < 0 and subject not in here and len(self.waiting) < self.config.max_concurrent_runs

    def forget(self, live: LiveRun) -> None:
        """Let go of a run that has nothing left to store."""
        with self.lock:
            if live.log.finished and self.live.get(live.context.run_id) is live:
                del self.live[live.context.run_id]

    def close(self) -> None:
        """Let go of all runs (see `engine.running.letting_go`), of threads and child processes."""
        self.closed = True
        self.watch.wake_all()
        self.threads.close()
        letting_go.let_go(self)
        self.watch.close()
        self.timers.close()
        self.writer.close()
        self.place.templates.close()
        self.place.sandbox.close()
        worker_name.forget(self.place.worker)

    def live_run(self, context: RunContext, log: EventLog, carried: Carried = Carried()) -> LiveRun:
        """Make a run that tells its events to ``log`` and stores its end as this worker's."""

        def record(context: RunContext, outcome: Outcome, first_seq: int, payloads: list[str]) -> bool:
            return opening.record_end(context, outcome, self.place.worker, first_seq, payloads)

        voice = speaks(context.document, self.config.models)
        return LiveRun(
            context, log, self.writer, record, _now, carried, self.config.max_run_bytes, voice, self.run_memory
        )

    def _take_up(self, run_id: str) -> None:
        try:
            with patience.carrying(lambda: self.closed):
                made = taking_up.ready(self, run_id)
            if made is None:
                return
            live, memory = made
            with self.lock:
                if self.closed:
                    leases.release(run_id, self.place.worker)
                    return
                self.live[run_id] = live
        except Exception:
            # When the lease has run out, this or another worker tries again.
            logger.exception("Run %s could not be taken up", run_id)
            return
        finally:
            self.waiting.pop(run_id, None)
            # Whoever waited for it hears of it from here on, or that it has ended.
            self.watch.touch(run_id)
        self._work(live, memory)

    def _work(self, live: LiveRun, memory: Saved | None) -> None:
        with patience.carrying(lambda: live.ended.is_set() or self.closed):
            self._execute(live, memory)

    def _take_turn(self, live: LiveRun) -> bool:
        """Whether a run that has not begun can begin now; it is called again if not."""
        try:
            if live.ended.is_set():
                return True
            if not self.turns.has_come(live):
                return False
            if live.context.continues:
                live.take_turn(opening.with_conversation(live.context, self.place.sealer))
        except Exception:
            logger.exception("Run %s could not be begun", live.context.run_id)
            live.end("failed", "The run ended because of an internal error.")
        return True

    def _execute(self, live: LiveRun, memory: Saved | None) -> None:
        if memory is None and not self._take_turn(live):
            return
        context, limit = live.context, self.config.max_execution_seconds

        def expire() -> None:
            live.end("failed", f"Aborted: Maximum execution time exceeded: {limit:.2f}s > {limit:g}s")

        deadline = self.timers.after(max(0.0, limit - (memory.elapsed if memory else 0.0)), expire)
        try:
            if live.ended.is_set() or not self._begin(live, memory):
                return
            live.begin()
            save = partial(opening.save_variables, context, sealer=self.place.sealer)
            loading.execution().execute(live, self.place, save, memory)
        except Exception:
            logger.exception("Run %s could not be carried out", context.run_id)
            live.end("failed", "The run ended because of an internal error.")
        finally:
            self.timers.cancel(deadline)
            live.forget()
            self.forget(live)
            self._next_turn(context)

    def _next_turn(self, context: RunContext) -> None:
        if context.conversation_id is None or self.closed:
            return
        try:
            self.turns.look(context.conversation_id)
        except Exception:
            # The store is away; the keeper looks again.
            logger.exception("Whose turn it is in a conversation could not be looked up")

    def _begin(self, live: LiveRun, memory: Saved | None) -> bool:
        """Move the run to running; if it cannot, end it here or leave it to whoever has it."""
        run_id, worker, unsure = live.context.run_id, self.place.worker, False
        try:
            if memory is None and rows.begin(run_id, worker):
                return True
        except Refusal:
            unsure = True  # the connection broke: whether it was stored, the row says
        row = rows.for_worker(run_id)
        mine = row is not None and row.worker == worker and not row.is_over
        if row is not None and mine and unsure:
            return row.status == "running" or self._begin(live, memory)
        if row is not None and mine and row.stop_requested:
            live.end("stopped", STOPPED)
        elif memory is None or not mine:
            live.abandon("begun or ended elsewhere")
        return not live.ended.is_set()


def _now() -> int:
    return int(current().now().timestamp())
