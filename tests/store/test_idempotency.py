"""Idempotency keys in the store: how long they are kept, and what two at once leave behind."""

from __future__ import annotations

import pytest

from store import db, idempotency, run_counts, runs
from store.caller import Caller
from store.refusal import Refusal
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.world import World

DAY = 24 * 3600


def begin(caller: Caller, app_id: str, version_id: str, claim: idempotency.Claim) -> str:
    """What a start does: find the run of the claim, or store one."""

    @db.writes
    def once() -> str:
        found = idempotency.run_of(claim)
        if found is not None:
            return found
        run = runs.create(app_id=app_id, version_id=version_id, caller=caller, inputs={}, mode="workflow")
        idempotency.keep(claim, run.id)
        return run.id

    return once()


def claim_of(caller: Caller, app_id: str, key: str = "k", **body: object) -> idempotency.Claim:
    return idempotency.claim(caller, app_id, key, body)


def test_of_fifty_at_once_one_begins_the_run_that_all_get(world: World) -> None:
    claim = claim_of(world.owner_caller, world.app.id)
    version = world.app.published_id or ""
    found = race(*[lambda: begin(world.owner_caller, world.app.id, version, claim)] * 50)
    assert len(set(map(str, found))) == 1, found
    assert run_counts.active_count(world.app.id) == 1


def test_a_key_is_forgotten_after_a_day(world: World, clock: FakeClock) -> None:
    claim = claim_of(world.owner_caller, world.app.id)
    first = begin(world.owner_caller, world.app.id, world.app.published_id or "", claim)
    clock.advance(DAY - 0.001)
    assert idempotency.run_of(claim) == first
    clock.advance(0.001)
    assert idempotency.run_of(claim) is None
    assert idempotency.run_of(claim_of(world.owner_caller, world.app.id, query="other")) is None, "free for any body"
    second = begin(world.owner_caller, world.app.id, world.app.published_id or "", claim)
    assert second != first
    assert idempotency.run_of(claim) == second


def test_a_new_key_of_a_caller_leaves_the_others_until_they_are_a_day_old(world: World, clock: FakeClock) -> None:
    version = world.app.published_id or ""
    claims = [claim_of(world.owner_caller, world.app.id, key) for key in ("one", "two", "three")]
    begun = []
    for claim in claims:
        begun.append(begin(world.owner_caller, world.app.id, version, claim))
        clock.advance(DAY / 2 - 0.001)
    assert [idempotency.run_of(claim) for claim in claims] == [None, *begun[1:]]


def test_a_key_stands_for_one_body_of_one_caller_at_one_app(world: World) -> None:
    begin(
        world.owner_caller, world.app.id, world.app.published_id or "", claim_of(world.owner_caller, world.app.id, a=1)
    )
    with pytest.raises(Refusal, match="another body") as caught:
        idempotency.run_of(claim_of(world.owner_caller, world.app.id, a=2))
    assert caught.value.code == "idempotency_conflict"
    assert idempotency.run_of(claim_of(world.owner_caller, world.app.id, "other", a=2)) is None
    assert idempotency.run_of(claim_of(world.other_caller, world.app.id, a=2)) is None
    assert idempotency.run_of(claim_of(world.owner_caller, world.chat.id, a=2)) is None


def test_the_order_of_a_body_s_members_is_no_difference(world: World) -> None:
    one = idempotency.claim(world.owner_caller, world.app.id, "k", {"inputs": {"a": 1, "b": 2}, "query": "q"})
    two = idempotency.claim(world.owner_caller, world.app.id, "k", {"query": "q", "inputs": {"b": 2, "a": 1}})
    assert one == two


def test_neither_key_nor_body_rests_in_the_store(world: World) -> None:
    claim = claim_of(world.owner_caller, world.app.id, "a-key-of-mine", query="a question of mine")
    assert "mine" not in repr(claim)
