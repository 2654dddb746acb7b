"""A process that takes requests and carries out nothing, and those that carry out what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine import runs
from engine.running import recovery
from store import leases
from tests.engine.conftest import Bench
from tests.engine.forms import answer, review, token_of
from tests.engine.graphs import chat_document
from tests.engine.test_easy_modes import easy


def test_what_a_process_takes_and_does_not_carry_out_another_does(
    bench: Bench, configure: Callable[..., None], soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=0)
    first = bench.start(bench.app(chat_document()))
    second = bench.start(bench.app(easy("chat")), query="hi", conversation_id=None)
    for _ in range(3):
        recovery.take_free(runs.machine())
        recovery.recover(runs.machine())
    assert {(row.status, row.worker) for row in map(bench.stored, (first, second))} == {("queued", "")}
    configure()
    assert bench.events(first)[-1]["data"]["status"] == "succeeded"
    assert bench.events(second)[-1]["event"] == "message_end"


def test_a_form_answered_where_nothing_is_carried_out_goes_on_elsewhere(
    bench: Bench, configure: Callable[..., None]
) -> None:
    configure(secret_key="k")
    run = bench.start(bench.app(review()))
    head = bench.events(run)
    configure(secret_key="k", max_concurrent_runs=0)
    answer(token_of(head), comment="fine")
    assert (bench.stored(run).status, bench.stored(run).worker) == ("running", "")
    configure(secret_key="k")
    assert bench.events(run, len(head))[-1]["data"]["outputs"]["comment"] == "fine"


def test_a_run_that_nobody_carries_out_is_stopped_at_once(bench: Bench, configure: Callable[..., None]) -> None:
    configure(max_concurrent_runs=0)
    run = bench.start(bench.app(chat_document()))
    runs.stop(run)
    assert bench.stored(run).status == "stopped"
    assert [event["event"] for event in bench.events(run)][-1] == "workflow_finished"


def test_a_process_takes_no_more_than_it_has_room_for(bench: Bench, configure: Callable[..., None]) -> None:
    configure(max_concurrent_runs=0)
    app = bench.app(chat_document(delay_ms=50, chunks=100_000))
    asked = [bench.start(app) for _ in range(5)]
    configure(max_concurrent_runs=2, sweep_seconds=0.5)
    for _ in range(3):
        recovery.recover(runs.machine())
        recovery.take_free(runs.machine())
    assert len(leases.held("")) == 3
    assert set(leases.held(runs.machine().place.worker)) == {run.id for run in asked[:2]}
    for run in asked:
        runs.stop(bench.stored(run))


def test_a_run_that_cannot_be_taken_over_does_not_hold_up_the_others(
    bench: Bench, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(max_concurrent_runs=0)
    first, second = (bench.start(bench.app(chat_document())) for _ in range(2))
    take = leases.take

    def broken(row: Any, *args: Any) -> Any:
        if row.id == first.id:
            raise ValueError("broken")
        return take(row, *args)

    monkeypatch.setattr("engine.running.recovery.leases.take", broken)
    configure()
    assert bench.events(second)[-1]["data"]["status"] == "succeeded"
    assert bench.stored(first).status == "queued"
