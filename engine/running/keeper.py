"""One thread per engine that looks after runs: those it holds, those that wait, those that others lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.running import recovery, unattended
from engine.running.live import STOPPED
from store import forms, leases, patience
from store import runs as rows

if TYPE_CHECKING:
    from engine.running.machine import Machine

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.25


class Keeper:
    """Renews leases, hears of stops that another process was asked for, closes forms whose time is over."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._closed = threading.Event()
        self._renewal, self._sweep = _Every(machine.config.lease_seconds / 3), _Every(machine.config.sweep_seconds)
        # The duties whose last attempt failed.
        self._troubled: set[str] = set()
        self._thread = threading.Thread(target=self._loop, name="run-keeper", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _loop(self) -> None:
        patience.keep()
        machine = self._machine
        while not self._closed.wait(_TICK_SECONDS):
            if machine.held():
                if self._renewal.is_due():
                    self._renewal.note(done=self._do("renewing leases", self.renew))
                self._do("hearing of stops", self.listen)
                self._do("looking whose turn it is", machine.turns.look)
            self._do("taking up runs", lambda: recovery.take_free(machine))
            if self._sweep.is_due():
                self._sweep.note(done=True)
                self._do("closing forms", self.close_forms)
                self._do("taking over lost runs", lambda: recovery.recover(machine))

    def _do(self, name: str, duty: Callable[[], object]) -> bool:
        try:
            duty()
        except Exception:
            # The database may be away for a while: what is due stays due. Said once, for it is tried again and again.
            if name not in self._troubled:
                logger.exception("Looking after the runs failed (%s); it is tried again", name)
            self._troubled.add(name)
            return False
        self._troubled.discard(name)
        return True

    def renew(self) -> None:
        """Hold what works or waits here for longer."""
        machine = self._machine
        leases.renew(machine.place.worker, machine.held(), machine.config.lease_seconds)

    def listen(self) -> None:
        """End the runs that somebody asked to stop elsewhere; let go of those that another worker took."""
        machine = self._machine
        working, waiting = list(machine.live.values()), list(machine.waiting)
        held = leases.held(machine.place.worker)
        for live in working:
            stopping = held.get(live.context.run_id)
            if live.ended.is_set():
                # It ended when the store was away.
                machine.forget(live)
            elif stopping:
                live.end("stopped", STOPPED)
            elif stopping is None:
                row = rows.for_worker(live.context.run_id)
                if row is not None and (row.is_over or row.worker != machine.place.worker):
                    live.abandon("another worker has it")
        for run_id in waiting:
            row = rows.for_worker(run_id) if held.get(run_id) else None
            if row is not None and not machine.live.get(run_id):
                self._end(row, STOPPED)

    def close_forms(self) -> None:
        """Close forms whose time is over; their runs go on, or end. Those of deleted apps end."""
        machine = self._machine
        for form in forms.orphaned():
            row = rows.for_worker(form.run_id)
            if row is not None and row.status == "paused":
                self._end(row, "The app was deleted.")
        for form in forms.due(machine.config.form_seconds):
            row = rows.for_worker(form.run_id)
            if row is None or row.is_over:
                continue
            if forms.is_past(form, machine.config.form_seconds):
                if row.status == "paused":
                    self._end(row, f"Human input global timeout at node {form.node_id}")
            elif forms.time_out(form.id, machine.holder, machine.config.lease_seconds):
                machine.take_up(row)

    def _end(self, row: rows.Run, reason: str) -> None:
        unattended.end(row, "stopped", reason)
        self._machine.watch.touch(row.id)


class _Every:
    """By the clock, not by rounds: a round takes long while the database is away. What failed stays due."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self._last >= self._seconds

    def note(self, *, done: bool) -> None:
        if done:
            self._last = time.monotonic()
