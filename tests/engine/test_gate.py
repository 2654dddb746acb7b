"""When an engine stands still to be kept: after a node, when it is time, and never in the way of nodes at work."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.running import gate
from engine.running.gate import Gate

SOON, LATE = 1e-9, 3600.0


class Execution:
    """What a gate knows of an engine's run: it notes its pauses."""

    aborted = completed = paused = False
    error: object = None

    def __init__(self) -> None:
        self.reasons: list[Any] = []

    def pause(self, reason: Any) -> None:
        self.reasons.append(reason)


def made(every: float, workers: int = 1, *, busy: bool = False) -> tuple[Gate, Execution]:
    execution, found = Execution(), Gate(every)
    pool = SimpleNamespace(_worker_count=workers, has_current_tasks=lambda: busy)
    found.attach(SimpleNamespace(runtime_state=SimpleNamespace(graph_execution=execution), _worker_pool=pool))
    found.resumed()
    return found, execution


def kept(found: Gate, execution: Execution) -> bool:
    execution.reasons.clear()
    assert found.fetch_commands() == []
    return [reason.message for reason in execution.reasons] == ["checkpoint"]


def test_it_stands_still_once_after_a_node_however_short_the_time() -> None:
    found, execution = made(SOON)
    assert not kept(found, execution), "nothing was done"
    for _ in range(3):
        found.note_done(acted=False)
        assert kept(found, execution)
        found.resumed()
        assert not kept(found, execution)


@pytest.mark.parametrize("every", [0, LATE])
def test_it_does_not_stand_still_before_its_time_or_without_one(every: float) -> None:
    found, execution = made(every)
    found.note_done(acted=False)
    assert not kept(found, execution)


@pytest.mark.parametrize(("workers", "busy", "stands"), [(4, True, False), (4, False, True), (1, True, True)])
def test_one_long_node_holds_up_no_branches_beside_it(workers: int, busy: bool, stands: bool) -> None:
    found, execution = made(SOON, workers, busy=busy)
    found.note_done(acted=False)
    assert kept(found, execution) is stands


def test_what_has_acted_on_the_world_is_kept_at_once_and_then_not_in_each_round(monkeypatch: Any) -> None:
    found, execution = made(LATE)
    found.note_done(acted=True)
    found.note_done(acted=False)
    assert kept(found, execution)
    found.resumed()
    found.note_done(acted=True)
    assert not kept(found, execution)
    monkeypatch.setattr(gate, "_AFTER_ACTING", 0)
    assert kept(found, execution)


def test_without_checkpoints_what_has_acted_is_not_kept_either() -> None:
    found, execution = made(0)
    found.note_done(acted=True)
    assert not kept(found, execution)


@pytest.mark.parametrize("over", ["aborted", "completed", "error", "paused"])
def test_what_is_over_does_not_stand_still(over: str) -> None:
    found, execution = made(SOON)
    found.note_done(acted=False)
    found.ask_checkpoint()
    setattr(execution, over, "yes")
    assert not kept(found, execution)
    setattr(execution, over, None)
    assert kept(found, execution)
