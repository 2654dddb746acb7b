"""Pony's provider for PostgreSQL with a pool of our own, and connections that wait for a stated time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from pony.orm.dbproviders.postgres import PGProvider
from psycopg2 import extensions

from store import faults, patience
from store.patience import Limits
from store.pool import Pool

CONNECT_SECONDS = 5  # for the network; unless the URL says otherwise
# A transaction waits for nothing but the database: one that stands still belongs to a process that was frozen, or to a
# machine that is gone, and what it has locked (a run that another worker is to take over) must not stay so.
STANDSTILL_SECONDS = 10


class PostgresProvider(PGProvider):
    """``limits`` says how many connections there are, and how long is waited."""

    def get_pool(self, dsn: str, limits: Limits) -> Pool:
        """Make the pool. Called once, by Pony."""
        return Pool(lambda: connect(dsn, limits), limits.connections, limits.wait_seconds)


def connect(dsn: str, limits: Limits) -> Any:
    """A connection with a bound on the wait for a lock, on a statement, and on a transaction that stands still."""
    given = extensions.parse_dsn(dsn)
    waits = (
        f"-c lock_timeout={_ms(limits.wait_seconds)} -c statement_timeout={_ms(limits.statement_seconds)}"
        f" -c idle_in_transaction_session_timeout={_ms(STANDSTILL_SECONDS)}"
    )
    # What the operator says stands last, and wins.
    options = f"{waits} {given.get('options', '')}".strip()
    seconds = given.get("connect_timeout", CONNECT_SECONDS)
    connection = psycopg2.connect(dsn, options=options, connect_timeout=seconds)
    connection.set_client_encoding("UTF8")
    return connection


def patiently[R](action: Callable[[], R], seconds: float) -> R:
    """What ``action`` returns, tried again for so many seconds while the server takes no connection."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except psycopg2.OperationalError as problem:
            if not faults.is_passing_refusal(problem) or time.monotonic() > deadline:
                raise
        time.sleep(patience.RETRY_SECONDS)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
