"""One thread per engine that looks after runs: those it holds, those that wait, those that others lost."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from engine.running import recovery, unattended
from engine.running.live import STOPPED
from store import forms, leases
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
        config = self._machine.config
        ticks = 0
        renew, sweep = _every(config.lease_seconds / 3), _every(config.sweep_seconds)
        while not self._closed.wait(_TICK_SECONDS):
            ticks += 1
            try:
                if held := self._machine.held():
                    self.listen()
                    self._machine.turns.look()
                    if ticks % renew == 0:
                        leases.renew(self._machine.place.worker, held, config.lease_seconds)
                recovery.take_free(self._machine)
                if ticks % sweep == 0:
                    self.sweep()
            except Exception:
                # The database may be away for a while; what is due stays due.
                logger.exception("Looking after the runs failed; it is tried again")

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
                unattended.end(row, "stopped", STOPPED)

    def sweep(self) -> None:
        """Close forms whose time is over, and take over runs that were lost."""
        machine = self._machine
        for form in forms.due(machine.config.form_seconds):
            row = rows.for_worker(form.run_id)
            if row is None or row.is_over:
                continue
            if forms.is_past(form, machine.config.form_seconds):
                if row.status == "paused":
                    unattended.end(row, "stopped", f"Human input global timeout at node {form.node_id}")
            elif forms.time_out(form.id, machine.holder, machine.config.lease_seconds):
                machine.take_up(row)
        recovery.recover(machine)


def _every(seconds: float) -> int:
    return max(1, round(seconds / _TICK_SECONDS))
