"""The threads that runs work on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.running.threads import Threads
from tests.waiting import HANG


@pytest.fixture
def make() -> Iterator[Callable[..., Threads]]:
    made: list[Threads] = []

    def new(size: int, idle_seconds: float = 10) -> Threads:
        made.append(Threads(size, idle_seconds))
        return made[-1]

    yield new
    for threads in made:
        threads.close()


def alive() -> int:
    return sum(thread.name == "run" for thread in threading.enumerate())


def test_no_more_work_at_a_time_than_threads_and_all_of_it(
    make: Callable[..., Threads], soon: Callable[..., Any]
) -> None:
    threads, gate, done, begun = make(2), threading.Event(), [], threading.Semaphore(0)

    def work(number: int) -> None:
        begun.release()
        gate.wait(HANG)
        done.append(number)

    for number in range(6):
        threads.submit("a", lambda number=number: work(number))
    for _ in range(2):
        assert begun.acquire(timeout=HANG)
    # Whether there is a thread for it is decided where work is handed in: nobody is there to begin the other four.
    assert (threads._count, len(threads._shares)) == (2, 4)
    gate.set()
    soon(lambda: sorted(done) == [0, 1, 2, 3, 4, 5])
    assert threads._count == 2


def test_a_free_thread_is_used_again_and_ends_when_it_is_idle_for_long(
    make: Callable[..., Threads], soon: Callable[..., Any]
) -> None:
    threads, used = make(50, HANG), set()
    for _ in range(20):
        done = threading.Event()
        threads.submit("a", lambda done=done: (used.add(threading.get_ident()), done.set()))
        assert done.wait(HANG)
        soon(lambda: threads._idle)
    assert len(used) == 1
    threads.close()
    threads = make(50, 0.01)
    threads.submit("a", lambda: None)
    soon(lambda: not alive())
    done = threading.Event()
    threads.submit("a", done.set)
    assert done.wait(HANG)


def test_the_place_of_a_thread_that_ended_is_free_again(make: Callable[..., Threads], soon: Callable[..., Any]) -> None:
    threads = make(1, 0.01)
    for _ in range(3):
        done = threading.Event()
        threads.submit("a", done.set)
        assert done.wait(HANG)
        soon(lambda: not alive())


def test_work_that_breaks_takes_no_thread_with_it(make: Callable[..., Threads]) -> None:
    threads, done = make(1), threading.Event()
    threads.submit("a", lambda: 1 / 0)
    threads.submit("a", done.set)
    assert done.wait(HANG)


def test_when_closed_nothing_more_begins_and_idle_threads_end(
    make: Callable[..., Threads], soon: Callable[..., Any]
) -> None:
    threads, gate, begun = make(1), threading.Event(), threading.Event()
    threads.submit("a", lambda: (begun.set(), gate.wait(HANG)))
    threads.submit("a", pytest.fail)
    assert begun.wait(HANG)
    threads.close()
    with pytest.raises(RuntimeError, match="no more work"):
        threads.submit("a", pytest.fail)
    gate.set()
    soon(lambda: not alive())
