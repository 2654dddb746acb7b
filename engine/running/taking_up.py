"""Making a stored run ready to work in this process: from its checkpoint, or from its start if it never began or may
begin again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.events.log import EventLog
from engine.events.payloads import Payloads
from engine.running import opening, recovery, saved, unattended
from engine.running.context import RunContext
from engine.running.live import LiveRun
from engine.running.outcome import Carried
from engine.running.repeatable import is_repeatable
from engine.running.saved import Saved
from engine.running.sealing import SealBroken, Sealer
from store import checkpoints
from store import events as stored
from store import runs as rows
from store.refusal import Refusal

if TYPE_CHECKING:
    from engine.running.machine import Machine

logger = logging.getLogger(__name__)

Ready = tuple[LiveRun, Saved | None]


@dataclass(frozen=True)
class _Before:
    """A run's `engine.running.outcome.Progress` until its engine exists again: as it was at the checkpoint."""

    memory: Saved

    def figures(self) -> tuple[int, int]:
        """Return steps; the exceptions that were handled are known to the engine only."""
        return self.memory.steps, 0

    def outputs(self) -> dict[str, Any]:
        """Return nothing: no node of the end has run."""
        return {}

    def close_open(self, status: str, error: str | None) -> Iterator[dict[str, Any]]:
        """Yield a last event for each node that was at work or waited."""
        payloads = Payloads(self.memory.context)
        for one in self.memory.mapper["open"]:
            yield unattended.node_closed(payloads, one, status, error or "")


def ready(machine: Machine, run_id: str) -> Ready | None:
    """Return a run that this worker holds, and what it remembers; None when it is ended here, or is not ours."""
    row = rows.for_worker(run_id)
    if row is None or row.worker != machine.place.worker:
        return None
    if row.status == "queued":
        return _queued(machine, row)
    return _begun(machine, row) if row.status == "running" else None


def _queued(machine: Machine, row: rows.Run) -> Ready | None:
    context = _reopened(machine, row)
    if context is None:
        return None
    last, told = stored.extent(row.id)
    # One that begins again has told something before.
    carried = Carried(resumes=last > 0, told=told)
    return machine.live_run(context, EventLog(row.id, stored.claim, last), carried), None


def _reopened(machine: Machine, row: rows.Run) -> RunContext | None:
    """What a run needs to work from its start; None, and it is ended, when it cannot have it."""
    try:
        context = opening.reopened(row, machine.place.sealer)
    except Refusal as refusal:
        if refusal.code != "app_unavailable":
            raise
        unattended.end(row, "failed", refusal.message)
        return None
    if context is None:
        recovery.end_lost(row)
    return context


def _again(machine: Machine, row: rows.Run) -> Ready | None:
    context = _reopened(machine, row)
    if context is None:
        return None
    if not is_repeatable(context.document):
        recovery.end_lost(row)
        return None
    context = opening.with_conversation(context, machine.place.sealer)
    again = recovery.begin_again(row, context, row.worker)
    return _queued(machine, row) if again else None


def _begun(machine: Machine, row: rows.Run) -> Ready | None:
    point = checkpoints.get(row.id)
    if point is None:
        return _again(machine, row)
    try:
        memory = saved.load(machine.place.sealer.unseal(point.sealed))
    except (SealBroken, ValueError):
        # Another key, or a checkpoint of another version: this run cannot go on, here or anywhere.
        logger.exception("Run %s cannot be taken up again", row.id)
        recovery.end_lost(row)
        return None
    base = recovery.reset_to(row, point, memory)
    if base is None:
        return None
    carried = Carried(
        memory.answer,
        memory.elapsed,
        resumes=True,
        citations=memory.citations,
        told=memory.told,
        usage=memory.usage,
    )
    context = _current(memory.context, machine.place.sealer)
    live = machine.live_run(context, EventLog(row.id, stored.claim, base), carried)
    live.progress = _Before(memory)
    return live, memory


def _current(context: RunContext, sealer: Sealer) -> RunContext:
    """The context with the conversation's variables as they are now."""
    if context.conversation_id is None:
        return context
    return replace(context, conversation_values=opening.values_of(context.conversation_id, sealer))
