"""How long a thread waits for the database, and on whose behalf.

A request is refused after a moment (503): somebody waits for it, and its thread is one of few. What carries out a run
waits as long as the run lives: nothing that passes ends it. What looks after all runs (their events, their leases)
comes first, for without it a run would be lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

RETRY_SECONDS = 0.25
REQUEST_POOL = "request"  # how the threads are named that carry out requests


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may take of a database, and how long it waits; seconds.

    ``connections`` are those to PostgreSQL. ``wait_seconds`` bounds the wait for one of them, for a lock there, and for
    the write lock of SQLite. ``statement_seconds`` bounds a statement on PostgreSQL; 0 does not. ``waiting_writers`` is
    how many requests may wait for SQLite's write lock while nothing moves.
    """

    connections: int = 20
    wait_seconds: float = 5
    statement_seconds: float = 30
    waiting_writers: int = 10


class Kind(IntEnum):
    """What a thread works for."""

    REQUEST = 0
    RUN = 1
    KEEPER = 2


class _Here(threading.local):
    kind = Kind.REQUEST
    over: Callable[[], bool] | None = None
    hurried = False
    pool = ""


_here = _Here()


def kind() -> Kind:
    """What the calling thread works for; REQUEST unless it said otherwise."""
    return _here.kind


def pool() -> str:
    """The pool that the calling thread is of, by its name; computed once for each thread."""
    if not _here.pool:
        _here.pool = threading.current_thread().name.partition("_")[0]
    return _here.pool


def keep() -> None:
    """The calling thread looks after all runs, from here on."""
    _here.kind = Kind.KEEPER


@contextmanager
def carrying(over: Callable[[], bool]) -> Iterator[None]:
    """For a block, the calling thread carries out a run: it waits for the database until ``over()`` is true."""
    before = _here.kind, _here.over
    _here.kind, _here.over = Kind.RUN, over
    try:
        yield
    finally:
        _here.kind, _here.over = before


def handed_on() -> Callable[[], None]:
    """What another thread calls to work for the same run as the calling one."""
    here, over = _here.kind, _here.over

    def take() -> None:
        _here.kind, _here.over = here, over

    return take


@contextmanager
def hurried() -> Iterator[None]:
    """For a block, wait for no lock at all: for what is better left out than waited for."""
    _here.hurried = True
    try:
        yield
    finally:
        _here.hurried = False


def is_hurried() -> bool:
    """Whether the calling thread is within `hurried`."""
    return _here.hurried


def waits() -> bool:
    """Whether the calling thread tries again what the database could not do; True after a moment's rest."""
    if _here.over is None or _here.over():
        return False
    time.sleep(RETRY_SECONDS)
    return True
