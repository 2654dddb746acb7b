"""Pony's provider for SQLite: writers wait in a queue of their own, and a file that is gone is not made anew.

Each thread has a connection of its own. It is closed when its thread ends, or when the file is another one by now.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any
from urllib.parse import quote

from pony.orm.dbproviders.sqlite import SQLitePool, SQLiteProvider

from store.patience import Limits
from store.write_queue import WriteQueue

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON")


class _Closing:
    """Closes a connection when its thread is gone, and the thread's own values with it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __del__(self) -> None:
        self._connection.close()


class SqlitePool(SQLitePool):
    """A thread-local value of Pony's: what is set here, each thread has for itself."""

    def __init__(self, filename: str, wait_seconds: float) -> None:
        super().__init__(False, filename, True)
        self._path, self._wait = filename, wait_seconds
        self._file: tuple[int, int] | None = None

    def connect(self) -> tuple[Any, bool]:
        """The thread's connection, and whether it is new. Errors: sqlite3's OperationalError (SQLITE_CANTOPEN)."""
        if self.con is not None and self._file != _identity(self._path):
            self.disconnect()
        found: tuple[Any, bool] = super().connect()
        return found

    def _connect(self) -> None:
        # Never a new, empty file where there was one that is gone.
        self.filename, self.kwargs = f"file:{quote(self._path)}?mode=rw", {"uri": True, "check_same_thread": False}
        super()._connect()
        try:
            for pragma in (f"busy_timeout={_ms(self._wait)}", *PRAGMAS):
                self.con.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError:
            self.disconnect()  # half prepared, it would serve the thread from then on
            raise
        self._file, self._closing = _identity(self._path), _Closing(self.con)


class SqliteProvider(SQLiteProvider):
    """``limits`` says how long writers wait, and how many."""

    def get_pool(self, is_shared: bool, filename: str, limits: Limits) -> SqlitePool:
        """Make the pool and the queue. Called once, by Pony."""
        self._wait, self._queue = limits.wait_seconds, WriteQueue(limits)
        return SqlitePool(filename, limits.wait_seconds)

    def set_transaction_mode(self, connection: Any, cache: Any) -> None:
        """Begin a transaction that writes. Errors: sqlite3's OperationalError (SQLITE_BUSY) after ``wait_seconds``, for
        which this thread waited in the queue and for other processes together.
        """
        if not cache.immediate:
            return
        left = self._queue.enter()
        try:
            if left < self._wait:
                connection.execute(f"PRAGMA busy_timeout={_ms(left)}")
            try:
                connection.execute("BEGIN IMMEDIATE TRANSACTION")
            finally:
                if left < self._wait:
                    connection.execute(f"PRAGMA busy_timeout={_ms(self._wait)}")
        except BaseException:
            self._queue.leave(done=False)
            raise
        cache.in_transaction = True

    def release_lock(self) -> None:
        """Let the next writer on; Pony calls it at the end of what `set_transaction_mode` began."""
        self._queue.leave(done=True)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _identity(path: str) -> tuple[int, int] | None:
    """Which file is there; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - at each transaction: a Path costs more than the look
    except OSError:
        return None
    return found.st_dev, found.st_ino
