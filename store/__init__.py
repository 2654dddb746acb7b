"""State: accounts, sessions, device flows, apps, runs and their events, on SQLite or PostgreSQL.

One store is open per process. Every function of the modules here opens its own session, is synchronous, and
returns plain frozen values with aware UTC times and lower-case UUIDs; nothing it returns is bound to the
database.
"""

from __future__ import annotations

from store import clock
from store.clock import Clock, Ids
from store.patience import Limits

__all__ = ["Clock", "Ids", "Limits", "clock", "close", "ids", "open"]


def open(database_url: str, *, clock: Clock | None = None, ids: Ids | None = None, limits: Limits = Limits()) -> None:
    """Open the store: migrate, bind, compare mapping and tables.

    In: ``sqlite:///path`` or ``postgresql://…``; a clock and an id source for tests; what this process may take.
    Errors: ValueError for a URL that is neither, ``store.db.SchemaMismatch`` when tables and mapping differ.
    """
    from store import clock as clock_module
    from store import db, sessions

    db.bind(database_url, limits)
    clock_module.install(clock, ids)
    sessions.forget()


def close() -> None:
    """Close the store; a new ``open`` may follow."""
    from store import clock as clock_module
    from store import db, sessions

    db.unbind()
    clock_module.install(None, None)
    sessions.forget()


def ids() -> Ids:
    """The id source in use."""
    from store.clock import current_ids

    return current_ids()
