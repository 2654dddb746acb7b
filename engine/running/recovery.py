"""Runs whose process was lost: they go on from their checkpoint, begin again, or end; none stays `running` for good."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from engine.events import failures
from engine.events.payloads import Payloads
from engine.events.since import Since
from engine.events.wire import Wire
from engine.files.run_files import RunFiles
from engine.running import unattended
from engine.running.context import RunContext
from engine.running.worker_name import is_gone
from store import db, leases
from store import events as stored
from store import runs as rows
from store.checkpoints import Checkpoint
from store.refusal import Refusal

if TYPE_CHECKING:
    from engine.running.machine import Machine
    from engine.running.saved import Saved

logger = logging.getLogger(__name__)

LOST = f"{failures.LOST.code}: The process that ran this was lost."
MAX_ATTEMPTS = 3


def recover(machine: Machine) -> int:
    """Take over the runs that no living process holds, as many as there is room for. Returns how many there were.

    Of those that nobody had room for when it was looked last, one of each caller who has nothing here stands in line
    with what began here: else a caller who keeps this process busy would keep them out for good.
    """
    gone = {other for other in leases.workers() - {machine.place.worker} if is_gone(other)}
    found = leases.lapsed(gone)
    waited, machine.passed_over = machine.passed_over, {row.id for row in found}
    return _take(machine, found, waited)


def take_free(machine: Machine) -> int:
    """Take up the runs that nobody holds, as many as there is room for. Returns how many there were."""
    room = machine.room()
    return _take(machine, leases.free(room)) if room > 0 else 0


def _take(machine: Machine, found: Iterable[rows.Run], waited: Collection[str] = ()) -> int:
    taken = 0
    for row in found:
        if machine.room() <= 0 and not (row.id in waited and machine.lets_in(row.subject)):
            continue
        try:
            taken += _take_one(machine, row)
        except Refusal:
            raise  # the store is away
        except Exception:
            # One run's trouble is not the others'.
            logger.exception("Run %s could not be taken over", row.id)
    return taken


def _take_one(machine: Machine, row: rows.Run) -> bool:
    mine = leases.take(row, machine.place.worker, machine.config.lease_seconds)
    if mine is None or machine.has(mine.id):
        return False
    if mine.stop_requested:
        unattended.end(mine, "stopped", "Stopped by user.")
    elif mine.status == "running" and mine.attempts > MAX_ATTEMPTS:
        # A run that took its process down with it three times is not tried a fourth time.
        end_lost(mine)
    else:
        machine.take_up(mine)
    machine.watch.touch(mine.id)
    return True


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
    return _tell(row, memory.context, since, memory.answer, "resumption")


@db.writes
def begin_again(row: rows.Run, context: RunContext, worker: str) -> bool:
    """Have a run that works and has no checkpoint begin again from its start, at ``worker`` (empty: at whoever takes
    it): it waits like one that has not begun. False when it is not as it was read any more.

    Its readers are told as by `reset_to`. Only for one that `engine.running.repeatable` allows.
    """
    if not rows.requeue(row.id, row.worker, worker):
        return False
    since = Since(row.id, 0, ())
    _tell(row, context, since, "", "resumption" if since.last else "initial")
    return True


def _tell(row: rows.Run, context: RunContext, since: Since, answer: str, reason: str) -> int:
    payloads = Payloads(context)
    told = [unattended.node_closed(payloads, one, "failed", LOST) for one in since.nodes.values()]
    told += [unattended.container_closed(payloads, one, LOST) for one in since.containers.values()]
    if since.spoke or not context.is_flow:
        told.append(payloads.text_so_far(answer))
    if context.is_flow:
        told += [payloads.workflow_started(reason), *since.reopened]
    wire = Wire(context, RunFiles(context))
    stored.append(row.id, since.last + 1, [wire(one) for one in told])
    return since.last + len(told)
