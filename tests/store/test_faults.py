"""What a transaction does that met another one, or a database in trouble."""

from __future__ import annotations

import time
from collections.abc import Callable

from store import db, sql
from tests.store.racing import race
from tests.world import World


def test_of_two_transactions_that_wait_for_each_other_both_are_done(world: World) -> None:
    def both(first: str, second: str) -> Callable[[], None]:
        def touch() -> None:
            for account_id in (first, second):
                sql.change("UPDATE accounts SET name = 'x' WHERE id = ?", account_id)
                time.sleep(0.2)

        return db.writes(touch)

    one, other = world.owner.id, world.other.id
    assert race(both(one, other), both(other, one)) == [None, None]
