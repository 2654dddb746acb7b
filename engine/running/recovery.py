"""Runs whose process was lost: they go on from their checkpoint, or end; none stays `running` for good."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.events import failures
from engine.events.payloads import Payloads
from engine.events.since import Since
from engine.events.wire import Wire
from engine.files.run_files import RunFiles
from engine.running import unattended
from engine.running.worker_name import is_gone
from store import checkpoints, db, leases
from store import events as stored
from store import runs as rows
from store.checkpoints import Checkpoint

if TYPE_CHECKING:
    from engine.running.machine import Machine
    from engine.running.saved import Saved

logger = logging.getLogger(__name__)

LOST = f"{failures.LOST.code}: The process that ran this was lost."
MAX_ATTEMPTS = 3


def recover(machine: Machine) -> int:
    """Take over the runs that no living process holds. Returns how many there were."""
    name, seconds = machine.place.worker, machine.config.lease_seconds
    lapsed = {row.id: row for row in leases.lapsed()}
    gone = {row.id: row for row in leases.of_others(name) if is_gone(row.worker)}
    taken = 0
    for row in sorted((lapsed | gone).values(), key=lambda row: (row.created_at, row.id)):
        mine = leases.take(row, name, seconds)
        if mine is None or machine.has(mine.id):
            continue
        taken += 1
        if mine.stop_requested:
            unattended.end(mine, "stopped", "Stopped by user.")
        elif mine.status == "running" and (mine.attempts > MAX_ATTEMPTS or checkpoints.get(mine.id) is None):
            # A run that took its process down with it three times is not tried a fourth time.
            end_lost(mine)
        else:
            machine.take_up(mine)
    return taken


def end_lost(row: rows.Run) -> None:
    """End a run as failed because its process was lost."""
    unattended.end(row, "failed", LOST)


@db.writes
def reset_to(row: rows.Run, point: Checkpoint, memory: Saved) -> int | None:
    """Tell the readers that the run goes on from a checkpoint; returns the number of the last event.

    None when the run is not as it was read any more. What was begun since the checkpoint is begun again, under
    new execution ids: it is told as over here, and text that was told since then is taken back by the whole text
    up to the checkpoint. One transaction, which always tells something: whoever held the run before finds the
    numbers taken, and can tell nothing more.
    """
    now = rows.one(row.id)
    if now is None or (now.status, now.worker) != (row.status, row.worker):
        return None
    since = Since(row.id, point.seq, {one["id"] for one in memory.mapper["open"]})
    payloads = Payloads(memory.context)
    told = [unattended.node_closed(payloads, one, "failed", LOST) for one in since.nodes.values()]
    told += [unattended.container_closed(payloads, one, LOST) for one in since.containers.values()]
    if since.spoke:
        told.append(payloads.text_so_far(memory.answer))
    told += [payloads.workflow_started("resumption"), *since.reopened]
    wire = Wire(memory.context, RunFiles(memory.context))
    stored.append(row.id, since.last + 1, [wire(one) for one in told])
    return since.last + len(told)
