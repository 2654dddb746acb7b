"""What becomes of the runs of a process that ends: they get a moment; then some go on in another one, or begin again
there, and the others end as failed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.events import failures
from engine.running import recovery
from engine.running.live import LiveRun
from engine.running.repeatable import is_repeatable
from store import checkpoints, leases
from store import runs as rows
from store.clock import current

if TYPE_CHECKING:
    from engine.running.machine import Machine

logger = logging.getLogger(__name__)

SHUT_DOWN = f"{failures.LOST.code}: The server was shut down while this was running."


def let_go(machine: Machine) -> None:
    """Let go of all runs of a machine that is closed. Never raises: while the store is away they are left as they are,
    and whoever looks next finds them, and that their process is gone.
    """
    with machine.lock:
        waiting, working = list(machine.waiting), list(machine.live.values())
    try:
        _let_go(machine, waiting, working)
    except Exception:
        logger.exception("Not all runs could be handed over")
        for live in working:
            live.abandon("lost", told=False)


def _let_go(machine: Machine, waiting: list[str], working: list[LiveRun]) -> None:
    # What has not begun loses nothing: from here on it cannot begin in this process.
    leases.release_queued(machine.place.worker)
    for run_id in waiting:
        leases.release(run_id, machine.place.worker)
    for live in working:
        if not live.begun:
            leave(machine, live)
        live.release()
    deadline = current().monotonic() + machine.config.release_seconds
    for live in working:
        over = live.await_end(max(0, deadline - current().monotonic()))
        if not over and not leave(machine, live):
            live.cause = failures.LOST
            live.end("failed", SHUT_DOWN)


def leave(machine: Machine, live: LiveRun) -> bool:
    """Give up a run that has not begun, or could not stand still in time but can go on, or begin again; False if it
    can do neither.
    """
    context, worker = live.context, machine.place.worker
    row = rows.for_worker(context.run_id)
    working = row if row and (row.status, row.worker) == ("running", worker) else None
    again = working is not None and checkpoints.get(context.run_id) is None
    if again and not is_repeatable(context.document):
        return False
    live.abandon("released")
    if working is not None and again:
        recovery.begin_again(working, context, "")
    else:
        leases.release(context.run_id, worker)
    machine.forget(live)
    return True
