"""Runs whose process was lost: they go on from their checkpoint, or end; none stays `running` for good."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from engine import unattended
from engine.payloads import Payloads
from engine.worker_name import is_gone
from store import checkpoints, leases
from store import events as stored
from store import runs as rows
from store.checkpoints import Checkpoint

if TYPE_CHECKING:
    from engine.machine import Machine
    from engine.saved import Saved

logger = logging.getLogger(__name__)

LOST_CODE = "worker_lost"
LOST = f"{LOST_CODE}: The process that ran this was lost."
MAX_ATTEMPTS = 3
_PAGE = 500


def recover(machine: Machine) -> int:
    """Take over the runs that no living process holds. Returns how many there were."""
    name, seconds = machine.place.worker, machine.config.lease_seconds
    lapsed = {row.id: row for row in leases.lapsed()}
    gone = {row.id: row for row in leases.of_others(name) if is_gone(row.worker)}
    taken = 0
    for row in (lapsed | gone).values():
        mine = leases.take(row, name, seconds)
        if mine is None or mine.id in machine.live:
            continue
        taken += 1
        if mine.stop_requested:
            unattended.end(mine, "stopped", "Stopped by user.")
        elif mine.status == "running" and mine.attempts <= MAX_ATTEMPTS and checkpoints.get(mine.id):
            machine.resume(mine)
        else:
            # A run that took its process down with it three times is not tried a fourth time.
            end_lost(mine)
    return taken


def end_lost(row: rows.Run) -> None:
    """End a run as failed because its process was lost."""
    unattended.end(row, "failed", LOST)


def reset_to(row: rows.Run, point: Checkpoint, memory: Saved) -> int:
    """Tell the readers what became of the events since the checkpoint; returns the number of the last event.

    What was begun since then is begun again, under new execution ids. Its nodes are closed here, and text that
    was told since then is taken back by the whole text up to the checkpoint.
    """
    opened: dict[str, dict[str, Any]] = {}
    known = {one["id"] for one in memory.mapper["open"]}
    last, told = point.seq, False
    while batch := stored.read(row.id, last, _PAGE):
        for seq, payload in batch:
            last = seq
            event = json.loads(payload)
            told = told or event["event"] in ("message", "text_chunk")
            if event["event"] == "node_started" and event["data"]["id"] not in known:
                opened[event["data"]["id"]] = event["data"]
            elif event["event"] == "node_finished":
                opened.pop(event["data"]["id"], None)
    payloads = Payloads(memory.context)
    closing = [unattended.node_closed(payloads, one, "failed", LOST) for one in opened.values()]
    if told and memory.context.is_chat:
        closing.append(payloads.replacement(memory.answer, ""))
    elif told:
        closing.append(payloads.workflow_event("text_replace", {"text": memory.answer}))
    texts = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in closing]
    stored.append(row.id, last + 1, texts)
    return last + len(texts)
