"""Places that are shared out: who gets the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from engine.running.cancel import Cancelled, CancelToken
from engine.running.places import Places
from tests.waiting import HANG


class Worker:
    """A thread that wants a place and keeps it until it is told to leave."""

    def __init__(self, places: Places, order: list[str], name: str, owner: str) -> None:
        self.cancel, self.go, self.error = CancelToken(owner), threading.Event(), False
        self._places, self._order, self._name = places, order, name
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        try:
            with self._places.place(self.cancel):
                self._order.append(self._name)
                self.go.wait(HANG)
        except Cancelled:
            self.error = True


def test_a_free_place_goes_to_who_has_fewest_and_then_to_who_came_first(soon: Callable[..., Any]) -> None:
    places, order, workers = Places(2), [], []
    for number, owner in enumerate("aaaabba"):
        workers.append(Worker(places, order, f"{owner}{number}", owner))
        soon(lambda: len(order) + len(places._shares) == len(workers))
    assert order == ["a0", "a1"]
    workers[0].go.set()
    soon(lambda: len(order) == 3)
    workers[1].go.set()
    soon(lambda: len(order) == 4)
    assert order[2:] == ["b4", "a2"]
    for worker in workers:
        worker.go.set()
        worker.thread.join()
    assert order.index("a3") < order.index("a6")
    assert (places._free, places._shares.taken, len(places._shares)) == (2, {}, 0)


def test_who_waits_is_woken_by_the_end_of_its_run_and_leaves_its_turn_to_others(soon: Callable[..., Any]) -> None:
    places, order = Places(1), []
    first = Worker(places, order, "first", "a")
    soon(lambda: order)
    second = Worker(places, order, "second", "a")
    soon(lambda: places._shares)
    third = Worker(places, order, "third", "a")
    second.cancel.trip("stopped")
    second.thread.join()
    assert (second.error, order) == (True, ["first"])
    first.go.set()
    soon(lambda: order == ["first", "third"])
    third.go.set()
    third.thread.join()
    assert (places._free, places._shares.taken, len(places._shares)) == (1, {}, 0)


def test_a_run_that_has_ended_takes_no_place() -> None:
    places, cancel = Places(1), CancelToken()
    cancel.trip("stopped")
    with pytest.raises(Cancelled), places.place(cancel):
        raise AssertionError
    assert places._free == 1
