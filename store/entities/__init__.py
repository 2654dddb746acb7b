"""The mapping: every table as a Pony entity, column for column what the migrations create.

``declare`` makes the classes anew for each opened store, because Pony keeps generated SQL in them and that
SQL belongs to one kind of database. Foreign keys are plain columns here: the database enforces them, and
nothing loads lazily.
"""

from __future__ import annotations

from pony.orm import Database

from store.entities import apps, datasets, kept, people, runs, sign_in


def declare(db: Database) -> None:
    """Define every entity on ``db`` (before ``generate_mapping``)."""
    for part in (people, sign_in, apps, runs, kept, datasets):
        part.declare(db.Entity)
