"""Reading a run's events by number: what is there, then what comes, without a gap or a repeat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from engine.events.log import EventLog, Follower
from engine.inputs.variables import WORKFLOW_MODES
from engine.large_reads import LARGE, is_large
from store import events as stored
from store import runs as rows
from store.refusal import Refusal
from store.run_row import ENDINGS

if TYPE_CHECKING:
    from engine.running.machine import Machine

_PAGE = 500
_AGAIN_SECONDS = 0.25  # after the store was found away


_REPLACEMENT = '{"event":"message_replace",'
_ENDING = ('{"event":"message",', _REPLACEMENT, '{"event":"message_end"', '{"event":"workflow_finished"')
_LAST = {True: ('{"event":"workflow_finished"',), False: ('{"event":"message_end"', '{"event":"error"')}


def is_last(payload: str, mode: str) -> bool:
    """Whether an event ends its run, in an app of this mode."""
    # The name is the first member of every payload; parsing each one only for this would cost more than
    # sending it.
    return payload.startswith(_LAST[mode in WORKFLOW_MODES])


def is_pause(payload: str) -> bool:
    """Whether an event tells of people that the run waits for."""
    return payload.startswith(('{"event":"human_input_required"', '{"event":"workflow_paused"'))


async def batches(
    machine: Machine, run_id: str, after: int, idle: float, through_pauses: bool, reader: Follower
) -> AsyncGenerator[list[tuple[int, str]], None]:
    """Yield lists of (number, payload) after a number; an empty list after ``idle`` quiet seconds.

    Read from memory while this process executes the run, else from the store. Ends with the run, and as soon as
    ``reader`` has lost its access; also when the run waits for people, unless ``through_pauses``.
    """
    try:
        while True:
            reader.clear()
            if machine.closed or reader.lost:
                return
            live = machine.live.get(run_id)
            if live is not None and not live.log.finished:
                machine.watch.leave(run_id, reader)
                async with aclosing(_live(machine, live.log, after, idle, reader)) as source:
                    async for batch in source:
                        after = batch[-1][0] if batch else after
                        yield batch
                behind = live.log.last > after and not reader.lost
                if not behind and (not live.log.halted or live.abandoned):
                    # Let go, not paused: whoever goes on with it may be another process, and this one may end.
                    return
                # The row says whether it waits: somebody may have answered in this moment.
                # What it told is in the store: it is not kept in memory for as long as a reader that is behind takes.
                live = None
                continue
            machine.watch.join(run_id, reader)
            is_over = came = False
            async with aclosing(_next(machine, run_id, after, through_pauses, idle, reader)) as source:
                async for over, batch in source:
                    is_over, came = over, bool(batch)
                    after = batch[-1][0] if batch else after
                    if batch or not over:
                        yield batch
                    batch = []  # or it is kept while the reader waits for what follows
            if is_over:
                return
            while not came and not await reader.news(idle):
                yield []
    finally:
        machine.watch.leave(run_id, reader)


async def _live(
    machine: Machine, log: EventLog, after: int, idle: float, reader: Follower
) -> AsyncGenerator[list[tuple[int, str]], None]:
    while after < log.base and not reader.lost:
        # What the run told before it stood still is in the store only.
        came = False
        async with aclosing(_next(machine, log.run_id, after, True, idle, reader)) as source:
            async for _, found in source:
                if batch := [one for one in found if one[0] <= log.base]:
                    after, came = batch[-1][0], True
                    yield batch
                    batch = found = []
                elif not found:
                    yield []
        if not came:
            await asyncio.sleep(_AGAIN_SECONDS)
    log.join(reader)
    try:
        while True:
            reader.clear()
            if reader.lost:
                return
            is_over = log.finished
            batch, finished = log.since(after)
            if batch:
                after = batch[-1][0]
                yield batch
            if finished or (is_over and not machine.closed):
                return
            if not batch and not await reader.news(idle):
                yield []
    finally:
        log.leave(reader)


class Opening(NamedTuple):
    """What a reader without a position is told. ``events``: these and nothing more (of a run that is over).

    ``hidden`` is the number of the event after which the run's last part begins: pauses before it are over. With
    ``ending``, only those of the events after it of which `is_of_ending` is true: it has said too much for one event.
    """

    events: Sequence[tuple[int, str]] = ()
    hidden: int = 0
    ending: bool = False


def opening(run_id: str, snapshot: bool) -> Opening:
    """Return what a reader without a position is told."""
    row = rows.for_worker(run_id)
    if row is None:
        return Opening()
    if not row.is_over or snapshot:
        return Opening(hidden=row.resumed_after)
    if row.mode in WORKFLOW_MODES and stored.extent(row.id)[1] > LARGE:
        # What was said before a replacement counts no more, and a word that was forbidden least of all.
        return Opening(hidden=max(0, stored.last_beginning(row.id, _REPLACEMENT) - 1), ending=True)
    return Opening(closing_events(row))


def is_of_ending(payload: str) -> bool:
    """Whether an event belongs to what a run has said, or to its end."""
    return payload.startswith(_ENDING)


def closing_events(row: rows.Run) -> list[tuple[int, str]]:
    """Return how a finished run of a workflow ended: its last event; for a chat its whole answer and
    ``message_end`` before it. Without a workflow a run is short: its events are told as they were.

    The answer comes as one ``message`` under the number just before ``message_end``: a reader that is cut off
    after it continues with what it has not seen.
    """
    if row.mode not in WORKFLOW_MODES:
        return []
    answer, said, tail = "", None, []
    after = 0
    while batch := stored.read(row.id, after, _PAGE):
        for seq, payload in batch:
            after = seq
            if payload.startswith('{"event":"message",'):
                said = json.loads(payload)
                answer += said["answer"]
            elif payload.startswith(_REPLACEMENT):
                # See `opening`.
                said = json.loads(payload)
                answer = said.pop("answer")
                del said["reason"]
            elif payload.startswith('{"event":"message_end"') or is_last(payload, "workflow"):
                tail.append((seq, payload))
    if said is None or not tail:
        return tail
    members = {"id": said["message_id"], "answer": answer, "from_variable_selector": None}
    whole = {**said, "event": "message", **members}
    return [(tail[0][0] - 1, json.dumps(whole, ensure_ascii=False, separators=(",", ":"))), *tail]


async def _next(
    machine: Machine, run_id: str, after: int, through_pauses: bool, idle: float, reader: Follower
) -> AsyncGenerator[tuple[bool, list[tuple[int, str]]], None]:
    """Yield once what `_read` returns, and if it is large when it is the reader's turn; before that, every ``idle``
    seconds, that nothing has come.
    """
    over, batch = await _read(machine, run_id, after, through_pauses)
    if not is_large(batch):
        yield over, batch
        return
    batch = []
    while not reader.lost:
        async with machine.large_reads.turn(reader.subject, idle) as come:
            if come:
                yield await _read(machine, run_id, after, through_pauses)
                return
        yield False, []


async def _read(machine: Machine, run_id: str, after: int, through_pauses: bool) -> tuple[bool, list[tuple[int, str]]]:
    """Return whether nothing comes after the next events, and these."""
    try:
        status, mode, found = await machine.watch.read(run_id, after)
    except Refusal:
        return False, []  # the store is away: what is there is told when it is back
    if found:
        return status is not None and is_last(found[-1][1], mode), found
    return status is None or status in ENDINGS or (status == "paused" and not through_pauses), []
