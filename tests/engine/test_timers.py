"""Deadlines of many runs, and the flag that ends one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.running.cancel import Cancelled, CancelToken
from engine.running.timers import Timers
from tests.waiting import HANG

NEVER = 1e6


@pytest.fixture
def timers() -> Iterator[Timers]:
    made = Timers()
    yield made
    made.close()


def test_a_nearer_deadline_is_met_although_a_later_one_was_set_before(timers: Timers) -> None:
    timers.after(NEVER, lambda: pytest.fail("too early"))
    for _ in range(3):
        met = threading.Event()
        timers.after(0, met.set)
        assert met.wait(HANG)


def test_deadlines_are_met_in_their_order_and_a_cancelled_one_is_not(timers: Timers) -> None:
    met: list[str] = []
    begun, goes_on, over = threading.Event(), threading.Event(), threading.Event()
    timers.after(0, lambda: (begun.set(), goes_on.wait(HANG)))  # type: ignore[arg-type, return-value]
    assert begun.wait(HANG)
    cancelled = timers.after(0, lambda: met.append("cancelled"))
    timers.after(0, lambda: met.append("first"))
    timers.after(0, lambda: (met.append("second"), over.set()))  # type: ignore[arg-type, return-value]
    timers.cancel(cancelled)
    timers.cancel(cancelled)
    goes_on.set()
    assert over.wait(HANG)
    assert met == ["first", "second"]


def test_a_deadline_that_breaks_does_not_take_the_others_along(
    timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    met = threading.Event()
    timers.after(0, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    timers.after(0, met.set)
    assert met.wait(HANG)
    assert "deadline's action failed" in caplog.text


def test_closed_timers_meet_no_deadline_and_their_thread_ends() -> None:
    timers = Timers()
    timers.after(NEVER, lambda: pytest.fail("closed"))
    thread = timers._thread
    assert thread
    timers.close()
    thread.join(HANG)
    assert not thread.is_alive()


def test_a_run_is_told_to_end_once_and_the_first_reason_stays() -> None:
    token = CancelToken("owner")
    calls: list[str] = []
    assert (token.owner, token.tripped, token.reason) == ("owner", False, None)
    token.check()
    with token.hook(lambda: calls.append("a")), token.hook(lambda: calls.append("b")):
        token.trip("enough")
        token.trip("again")
    assert sorted(calls) == ["a", "b"]
    assert (token.tripped, token.reason) == (True, "enough")
    with pytest.raises(Cancelled, match="enough"):
        token.check()


def test_a_hook_is_called_only_while_its_block_runs() -> None:
    token = CancelToken()
    with token.hook(lambda: pytest.fail("it is over")):
        pass
    calls: list[int] = []
    with token.hook(lambda: calls.append(1)):
        with token.hook(lambda: pytest.fail("it is over")):
            pass
        token.trip("enough")
    assert calls == [1]
    with pytest.raises(Cancelled), token.hook(lambda: pytest.fail("never")):
        pytest.fail("it is told already")


def test_who_sleeps_wakes_when_the_run_is_told_to_end(soon: Callable[..., Any]) -> None:
    token = CancelToken()
    token.sleep(0)
    woken: list[str] = []

    def sleep() -> None:
        try:
            token.sleep(NEVER)
        except Cancelled as cause:
            woken.append(str(cause))

    thread = threading.Thread(target=sleep)
    thread.start()
    token.trip("")
    thread.join(HANG)
    assert woken == ["stopped"]
