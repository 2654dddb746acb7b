"""Reading a run's events by number: what is there, then what comes, without a gap or a repeat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from engine.log import EventLog, Follower
from engine.variables import WORKFLOW_MODES
from store import events as stored
from store import runs as rows

_PAGE = 500
_POLL_SECONDS = 0.5


_LAST = {True: ('{"event":"workflow_finished"',), False: ('{"event":"message_end"', '{"event":"error"')}


def is_last(payload: str, mode: str) -> bool:
    """Whether an event ends its run, in an app of this mode."""
    # The name is the first member of every payload; parsing each one only for this would cost more than
    # sending it.
    return payload.startswith(_LAST[mode in WORKFLOW_MODES])


async def live_batches(log: EventLog, after: int, idle: float) -> AsyncIterator[list[tuple[int, str]]]:
    """Yield lists of (number, payload) of a live run; an empty list after ``idle`` quiet seconds."""
    follower = Follower()
    log.join(follower)
    try:
        while True:
            follower.event.clear()
            follower.notified = False
            batch, finished = log.since(after)
            if batch:
                after = batch[-1][0]
                yield batch
            if finished:
                return
            if not batch:
                try:
                    async with asyncio.timeout(idle):
                        await follower.event.wait()
                except TimeoutError:
                    yield []
    finally:
        log.leave(follower)


async def stored_batches(run_id: str, after: int, idle: float) -> AsyncIterator[list[tuple[int, str]]]:
    """Yield lists of (number, payload) from the store, looking again until the run is over."""
    quiet = 0.0
    while True:
        mode, over, batch = await asyncio.to_thread(_read, run_id, after)
        if batch:
            quiet, after = 0.0, batch[-1][0]
            yield batch
            if is_last(batch[-1][1], mode):
                return
            continue
        if over:
            return
        await asyncio.sleep(_POLL_SECONDS)
        quiet += _POLL_SECONDS
        if quiet >= idle:
            quiet = 0.0
            yield []


def closing_events(run_id: str) -> list[tuple[int, str]]:
    """Return how a finished run of a workflow ended: its last event; for a chat its whole answer and
    ``message_end`` before it. Without a workflow a run is short: its events are told as they were.

    The answer comes as one ``message`` under the number just before ``message_end``: a reader that is cut off
    after it continues with what it has not seen.
    """
    row = rows.for_worker(run_id)
    if row is None or row.mode not in WORKFLOW_MODES:
        return []
    answer, message, tail = [], None, []
    after = 0
    while batch := stored.read(run_id, after, _PAGE):
        for seq, payload in batch:
            after = seq
            if payload.startswith('{"event":"message",'):
                message = json.loads(payload)
                answer.append(message["answer"])
            elif payload.startswith('{"event":"message_end"') or is_last(payload, "workflow"):
                tail.append((seq, payload))
    if message is None or not tail:
        return tail
    whole = {**message, "answer": "".join(answer), "from_variable_selector": None}
    return [(tail[0][0] - 1, json.dumps(whole, ensure_ascii=False, separators=(",", ":"))), *tail]


def _read(run_id: str, after: int) -> tuple[str, bool, list[tuple[int, str]]]:
    # In this order: a run's events are written before its row says that it is over.
    row = rows.for_worker(run_id)
    return row.mode if row else "", row is None or row.is_over, stored.read(run_id, after, _PAGE)
