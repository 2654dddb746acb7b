"""The threads and pools that execute runs, from their start or from where they stood still."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from engine import opening, recovery, saved, worker_name
from engine.config import EngineConfig
from engine.context import RunContext
from engine.live import STOPPED, Carried, LiveRun, Outcome
from engine.log import EventLog
from engine.saved import Saved
from engine.speech import speaks
from engine.timers import Timers
from engine.workplace import workplace
from engine.writer import Writer
from store import checkpoints, conversations, leases
from store import events as stored
from store import runs as rows
from store.clock import current

logger = logging.getLogger(__name__)

_TURN_SECONDS = 0.05  # how often a run looks whether its turn has come

SHUT_DOWN = f"{recovery.LOST_CODE}: The server was shut down while this was running."


class Machine:
    """One configured engine; ``live`` holds the runs that work here now, by id."""

    def __init__(self, config: EngineConfig) -> None:
        self.config, self.place = config, workplace(config)
        self.pool = ThreadPoolExecutor(config.max_concurrent_runs, thread_name_prefix="run")
        self.writer, self.timers = Writer(), Timers()
        self.live: dict[str, LiveRun] = {}
        self.lock = threading.Lock()
        self.closed = False

    def start(self, context: RunContext) -> None:
        """Execute a run that was just stored."""
        live = self._live(context, EventLog(context.run_id, stored.claim))
        self._launch(live, lambda: self._execute(live, None))

    def resume(self, row: rows.Run) -> None:
        """Go on with a run that this worker holds, in the background."""
        try:
            self.pool.submit(self._resume, row)
        except RuntimeError:
            leases.release(row.id, self.place.worker)

    def close(self) -> None:
        """Let go of all runs: those that can are kept for another process, the others end as failed."""
        self.closed = True
        self.pool.shutdown(wait=False, cancel_futures=True)
        working = list(self.live.values())
        asked = [live for live in working if live.release()]
        deadline = current().monotonic() + self.config.release_seconds
        for live in asked:
            live.ended.wait(max(0, deadline - current().monotonic()))
        for live in working:
            if not live.ended.is_set() and not self._leave(live):
                live.end("failed", SHUT_DOWN)
        self.timers.close()
        self.writer.close()
        self.place.templates.close()
        self.place.sandbox.close()
        worker_name.forget(self.place.worker)

    def _leave(self, live: LiveRun) -> bool:
        """Give up a run that could not stand still in time but has an earlier checkpoint."""
        run_id = live.context.run_id
        if not live.context.is_flow or checkpoints.get(run_id) is None:
            return False
        live.abandon("released")
        return leases.release(run_id, self.place.worker)

    def _live(self, context: RunContext, log: EventLog, carried: Carried = Carried()) -> LiveRun:
        def record(context: RunContext, outcome: Outcome, first_seq: int, payloads: list[str]) -> bool:
            return opening.record_end(context, outcome, self.place.worker, first_seq, payloads)

        voice = speaks(context.document, self.config.models)
        return LiveRun(context, log, self.writer, record, _now, carried, self.config.max_run_bytes, voice)

    def _launch(self, live: LiveRun, work: Callable[[], None]) -> None:
        with self.lock:
            self.live[live.context.run_id] = live
        try:
            self.pool.submit(work)
        except RuntimeError:
            # The pool was closed between the caller's check and here.
            self._forget(live)
            live.end("failed", SHUT_DOWN)

    def _resume(self, row: rows.Run) -> None:
        try:
            point = checkpoints.get(row.id)
            if point is None:
                recovery.end_lost(row)
                return
            memory = saved.load(self.place.sealer.unseal(point.sealed))
            context = self._current(memory.context)
            base = recovery.reset_to(row, point, memory)
        except Exception:
            # Another key, or a checkpoint of another version: this run cannot go on, here or anywhere.
            logger.exception("Run %s cannot be taken up again", row.id)
            recovery.end_lost(row)
            return
        carried = Carried(memory.answer, memory.elapsed, resumes=True, citations=memory.citations)
        live = self._live(context, EventLog(row.id, stored.claim, base), carried)
        with self.lock:
            self.live[row.id] = live
        self._execute(live, memory)

    def _current(self, context: RunContext) -> RunContext:
        """The context with the conversation's variables as they are now."""
        if context.conversation_id is None:
            return context
        return replace(context, conversation_values=conversations.variables(context.conversation_id))

    def _await_turn(self, live: LiveRun) -> None:
        """Wait until the earlier runs of the conversation are over: each sees what the one before it answered."""
        context = live.context
        row = rows.for_worker(context.run_id) if context.continues else None
        if row is None:
            return
        while not live.ended.is_set() and rows.ahead_of(row):
            live.ended.wait(_TURN_SECONDS)
        if not live.ended.is_set():
            live.take_turn(opening.with_conversation(context))

    def _execute(self, live: LiveRun, memory: Saved | None) -> None:
        if memory is None:
            try:
                self._await_turn(live)
            except Exception:
                logger.exception("Run %s could not be begun", live.context.run_id)
                live.end("failed", "The run ended because of an internal error.")
        context, limit = live.context, self.config.max_execution_seconds

        def expire() -> None:
            live.end("failed", f"Aborted: Maximum execution time exceeded: {limit:.2f}s > {limit:g}s")

        deadline = self.timers.after(max(0.0, limit - (memory.elapsed if memory else 0.0)), expire)
        try:
            begun = rows.begin(context.run_id) if memory is None else not rows.stop_requested(context.run_id)
            if live.ended.is_set() or not begun:
                live.end("stopped", STOPPED)
                return
            live.begin()
            from engine.execute import execute

            execute(live, self.place, lambda values: opening.save_variables(context, values), memory)
        except Exception:
            logger.exception("Run %s could not be carried out", context.run_id)
            live.end("failed", "The run ended because of an internal error.")
        finally:
            self.timers.cancel(deadline)
            self._forget(live)

    def _forget(self, live: LiveRun) -> None:
        with self.lock:
            if self.live.get(live.context.run_id) is live:
                del self.live[live.context.run_id]


def _now() -> int:
    return int(current().now().timestamp())
