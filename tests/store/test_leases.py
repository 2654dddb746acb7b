"""Who has a run: for how long, who may take it, and that nobody else's is touched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store import leases, runs
from tests.doubles import FakeClock
from tests.world import World

LEASE = 30


def start(world: World, worker: str = "", seconds: float = LEASE) -> runs.Run:
    return runs.create(
        app_id=world.app.id,
        version_id="v",
        caller=world.owner_caller,
        inputs={},
        mode="workflow",
        worker=worker,
        lease_seconds=seconds,
    )


def now(run: runs.Run) -> runs.Run:
    return runs.begun(run.id)


def ids(found: list[runs.Run]) -> list[str]:
    return [run.id for run in found]


@pytest.fixture
def mixed(world: World, clock: FakeClock) -> dict[str, runs.Run]:
    """Runs of two workers and of none, in this order, a second apart; one of each that is over or waits for people."""
    made = {}
    for name in ("mine", "theirs", "nobodys", "over", "paused", "mine too"):
        worker = {"theirs": "b", "nobodys": ""}.get(name, "a")
        made[name] = start(world, worker)
        clock.advance(1)
    runs.begin(made["mine too"].id)
    for name in ("over", "paused"):
        runs.begin(made[name].id)
    runs.finish(made["over"].id, "failed")
    runs.pause(made["paused"].id)
    return made


def test_a_worker_has_its_runs_that_are_not_over_and_knows_which_are_to_stop(mixed: dict[str, runs.Run]) -> None:
    runs.request_stop(mixed["mine too"].id)
    assert leases.held("a") == {mixed["mine"].id: False, mixed["mine too"].id: True}
    assert leases.held("b") == {mixed["theirs"].id: False}
    assert leases.workers() == {"a", "b", ""}


def test_what_nobody_has_is_free_the_oldest_first(world: World, mixed: dict[str, runs.Run], clock: FakeClock) -> None:
    assert ids(leases.free(10)) == [mixed["nobodys"].id]
    later = [start(world) for _ in range(2)]
    assert ids(leases.free(10)) == [mixed["nobodys"].id, *ids(later)]
    assert ids(leases.free(2)) == [mixed["nobodys"].id, later[0].id]


def test_a_lease_is_over_after_its_time_and_not_before(world: World, clock: FakeClock) -> None:
    run = start(world, "a")
    assert now(run).lease_until == clock.now() + timedelta(seconds=LEASE) == run.lease_until
    clock.advance(LEASE)
    assert leases.lapsed() == []
    clock.advance(0.000001)
    assert ids(leases.lapsed()) == [run.id]


def test_what_nobody_has_is_lapsed_however_long_its_lease(world: World) -> None:
    run = start(world, "")
    assert ids(leases.lapsed()) == [run.id]


def test_what_workers_have_that_are_gone_is_lapsed_and_what_others_have_is_not(mixed: dict[str, runs.Run]) -> None:
    assert ids(leases.lapsed()) == [mixed["nobodys"].id]
    assert set(ids(leases.lapsed({"b", "c"}))) == {mixed["nobodys"].id, mixed["theirs"].id}
    assert len(leases.lapsed({"a", "b"})) == 4


def test_renewing_holds_the_named_runs_of_a_worker_and_no_others(mixed: dict[str, runs.Run], clock: FakeClock) -> None:
    before = {name: now(run).lease_until for name, run in mixed.items()}
    clock.advance(20)
    asked = [run.id for name, run in mixed.items() if name != "mine too"]
    assert leases.renew("a", asked, 60) == 1
    after = {name: now(run).lease_until for name, run in mixed.items()}
    assert after == {**before, "mine": clock.now() + timedelta(seconds=60)}


def test_renewing_nothing_is_nothing(opened_store: str) -> None:
    assert leases.renew("a", [], 60) == 0


@pytest.mark.parametrize(("begun", "attempts"), [(False, 0), (True, 1)])
def test_a_run_is_taken_once_and_only_one_that_had_begun_counts_it(
    world: World, clock: FakeClock, begun: bool, attempts: int
) -> None:
    run, other = start(world, "lost"), start(world, "lost")
    if begun:
        runs.begin(run.id)
    clock.advance(100)
    seen = now(run)
    taken = leases.take(seen, "a", LEASE)
    assert taken == now(run)
    assert taken
    assert (taken.worker, taken.attempts) == ("a", attempts)
    assert taken.lease_until == clock.now() + timedelta(seconds=LEASE)
    assert leases.take(seen, "b", LEASE) is None
    assert (now(run).worker, now(other).worker) == ("a", "lost")


def test_a_run_that_its_own_worker_took_again_meanwhile_is_not_taken(world: World) -> None:
    run = start(world, "lost")
    runs.begin(run.id)
    assert leases.take(run, "lost", LEASE)
    assert leases.take(run, "a", LEASE) is None, "it is the same worker's, but not as it was read"


@pytest.mark.parametrize("name", ["over", "paused"])
def test_a_run_that_is_over_or_waits_for_people_is_not_taken(mixed: dict[str, runs.Run], name: str) -> None:
    assert leases.take(now(mixed[name]), "b", LEASE) is None
    assert now(mixed[name]).worker == "a"


def test_only_its_worker_gives_a_run_up(mixed: dict[str, runs.Run]) -> None:
    assert not leases.release(mixed["mine"].id, "b")
    assert now(mixed["mine"]).worker == "a"
    assert leases.release(mixed["mine"].id, "a")
    assert (now(mixed["mine"]).worker, now(mixed["mine"]).lease_until.timestamp()) == ("", 0)
    assert now(mixed["mine too"]).worker == "a"
    assert not leases.release(mixed["mine"].id, "a")


def test_a_worker_that_ends_gives_up_what_has_not_begun(world: World, mixed: dict[str, runs.Run]) -> None:
    second = start(world, "a")
    assert leases.release_queued("a") == 2
    assert ids(leases.free(10)) == [mixed["mine"].id, mixed["nobodys"].id, second.id]
    assert (now(mixed["mine too"]).worker, now(mixed["theirs"]).worker) == ("a", "b")
    assert now(mixed["mine"]).lease_until.timestamp() == 0
