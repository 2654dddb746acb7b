"""What one process asks of a run, or does to it, counts for the process that has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine import runs
from engine.running import recovery, saved, unattended
from store import checkpoints, leases
from store import events as stored
from store import runs as rows
from tests.engine.conftest import Bench
from tests.engine.forms import answer, review, token_of
from tests.engine.graphs import chat_document
from tests.engine.test_easy_modes import easy

ENDLESS = {"delay_ms": 50, "chunks": 100_000}


def test_a_run_that_another_process_was_asked_to_stop_is_stopped(bench: Bench, soon: Callable[..., Any]) -> None:
    run = bench.start(bench.app(chat_document(**ENDLESS)))
    soon(lambda: stored.last_seq(run.id) >= 4)
    assert rows.request_stop(run.id), "all that the other process can do"
    soon(lambda: bench.stored(run).is_over)
    assert bench.events(run)[-1]["data"]["error"] == "Stopped by user."


def test_a_run_that_waits_for_a_thread_is_stopped_when_another_process_was_asked_to(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=1)
    answered = bench.start(bench.app(review()))
    token = token_of(bench.events(answered))
    app = bench.app(chat_document(**ENDLESS))
    at_work = bench.start(app)
    soon(lambda: stored.last_seq(at_work.id) >= 4)
    asked = bench.start(app)
    answer(token, comment="fine")
    for run in (asked, answered):
        rows.request_stop(run.id)
        soon(lambda run=run: bench.stored(run).is_over)
        assert bench.events(run)[-1]["data"]["error"] == "Stopped by user."
    assert bench.stored(at_work).status == "running"
    runs.stop(at_work)


def test_a_run_that_another_worker_has_taken_meanwhile_is_not_told_to_go_on_from_its_checkpoint(
    bench: Bench, configure: Callable[..., None]
) -> None:
    configure(secret_key="k")
    run = bench.start(bench.app(review()))
    token = token_of(bench.events(run))
    configure(secret_key="k", max_concurrent_runs=0)
    answer(token, comment="fine")
    point = checkpoints.get(run.id)
    mine = leases.take(bench.stored(run), "one", 60)
    assert point
    assert mine
    assert leases.take(mine, "another", 60)
    memory = saved.load(runs.machine().place.sealer.unseal(point.sealed))
    before = stored.last_seq(run.id)
    assert recovery.reset_to(mine, point, memory) is None
    assert stored.last_seq(run.id) == before
    theirs = bench.stored(run)
    assert theirs.worker == "another"
    assert recovery.reset_to(theirs, point, memory) == stored.last_seq(run.id) > before


FLOW_END = {"event": "workflow_finished", "data": {
    "status": "succeeded", "outputs": {"answer": "yes"}, "error": None, "elapsed_time": 1.5,
    "total_tokens": 7, "total_steps": 3, "exceptions_count": 1,
}}  # fmt: skip


@pytest.mark.parametrize(
    ("definition", "last", "status", "error"),
    [
        (chat_document(), FLOW_END, "succeeded", None),
        (easy("chat"), {"event": "message_end"}, "succeeded", None),
        (easy("chat"), {"event": "error", "message": "Too hot."}, "failed", "Too hot."),
    ],
)
def test_a_run_whose_process_died_after_its_last_event_has_ended_as_that_says(
    bench: Bench,
    configure: Callable[..., None],
    definition: dict[str, Any],
    last: dict[str, Any],
    status: str,
    error: str | None,
) -> None:
    configure(max_concurrent_runs=0)
    run = bench.start(bench.app(definition), query="go")
    told = [json.dumps(event) for event in ({"event": "message", "answer": "yes"}, last)]
    stored.append(run.id, 1, told)
    assert rows.begin(run.id)
    assert unattended.end(bench.stored(run), "failed", recovery.LOST)
    ended = bench.stored(run)
    assert (ended.status, ended.error) == (status, error)
    assert [text for _, text in stored.read(run.id, 0, 10)] == told
    if last is FLOW_END:
        figures = (ended.outputs, ended.elapsed, ended.total_tokens, ended.total_steps, ended.exceptions_count)
        assert figures == ({"answer": "yes"}, 1.5, 7, 3, 1)
