"""The event log of runs: append in batches, read by cursor. The events of a run count from 1."""

# ruff: noqa: S608 - statements are joined from constants only; every value goes through a mark
from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from store import db, sql

AT_ONCE = 200


class Batch(NamedTuple):
    """Events of one run, numbered from ``first_seq`` on without a gap."""

    run_id: str
    first_seq: int
    payloads: list[str]


def append(run_id: str, first_seq: int, payloads: list[str]) -> None:
    """Store payloads (JSON text each) as ``first_seq``, ``first_seq + 1``, …: all of them or none.

    A number that is taken is an error of the writer (``TransactionIntegrityError``): a run has one writer.
    """
    append_all([Batch(run_id, first_seq, payloads)])


@db.writes
def append_all(batches: Iterable[Batch]) -> None:
    """Store the events of several runs in one transaction: all of them or none. Errors: as `append`."""
    rows = [(one.run_id, one.first_seq + i, sql.text(text)) for one in batches for i, text in enumerate(one.payloads)]
    for first in range(0, len(rows), AT_ONCE):
        some = rows[first : first + AT_ONCE]
        marks = ", ".join("(?, ?, ?)" for _ in some)
        sql.change(f"INSERT INTO events (run_id, seq, payload) VALUES {marks}", *(part for row in some for part in row))


def claim(run_id: str, first_seq: int, payloads: list[str]) -> bool:
    """As `append`, for a run that another process may have taken over: False when it has written these numbers.

    A write whose answer was lost, because the connection broke, may be tried again.
    """
    try:
        append(run_id, first_seq, payloads)
    except db.RETRIED:
        there = already(run_id, first_seq, payloads)
        if not there:
            return False
        if there < len(payloads):
            append(run_id, first_seq + there, payloads[there:])
    return True


@db.reads
def already(run_id: str, first_seq: int, payloads: list[str]) -> int:
    """How many of these events are stored, from the first on; 0 also when one of the numbers is another event's."""
    found = read(run_id, first_seq - 1, len(payloads))
    mine = [(first_seq + place, sql.text(text)) for place, text in enumerate(payloads[: len(found)])]
    return len(found) if found == mine else 0


@db.reads
def read(run_id: str, after_seq: int, limit: int) -> list[tuple[int, str]]:
    """Up to ``limit`` events numbered above ``after_seq``, in order."""
    statement = "SELECT seq, payload FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?"
    return [(int(one[0]), one[1]) for one in sql.rows(statement, run_id, after_seq, limit)]


@db.reads
def some(run_id: str, after_seq: int, limit: int, most: int) -> list[tuple[int, str]]:
    """As `read`, but no more than fit into ``most`` characters; one at least, however long it is."""
    lengths = "SELECT seq, LENGTH(payload) FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?"
    until, size = after_seq, 0
    for seq, length in sql.rows(lengths, run_id, after_seq, limit):
        size += int(length)
        if size > most and until > after_seq:
            break
        until = int(seq)
    return read(run_id, after_seq, until - after_seq) if until > after_seq else []


@db.reads
def last_beginning(run_id: str, start: str) -> int:
    """The number of the run's last event whose payload begins with ``start``; 0 when it has none."""
    statement = "SELECT MAX(seq) FROM events WHERE run_id = ? AND SUBSTR(payload, 1, ?) = ?"
    found = sql.row(statement, run_id, len(start), start)
    return int(found[0]) if found and found[0] is not None else 0


@db.reads
def last_seq(run_id: str) -> int:
    """The highest number stored for the run; 0 when it has no events."""
    return extent(run_id)[0]


@db.reads
def extent(run_id: str) -> tuple[int, int]:
    """The highest number stored for the run, and how many characters its events are together; zeros without any."""
    found = sql.row("SELECT MAX(seq), SUM(LENGTH(payload)) FROM events WHERE run_id = ?", run_id)
    return (int(found[0]), int(found[1])) if found and found[0] is not None else (0, 0)
