"""What there is not enough of is shared out by owner: threads of runs, across restarts and processes too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from engine import runs
from engine.running import recovery
from engine.running.shares import Shares
from store import apps, idempotency, leases
from store import runs as rows
from store.caller import Caller
from store.refusal import Refusal
from tests.engine.conftest import Bench, make_caller
from tests.engine.forms import answer, review, token_of
from tests.engine.graphs import chain_document, llm

SLOW = chain_document(llm("llm", "think", first_delay_ms=60_000), "text")


@pytest.fixture
def bob(bench: Bench) -> Bench:
    """Another caller of the same apps."""
    return replace(bench, caller=make_caller("bob@mail.example", "Bob"))


@pytest.fixture
def slow(bench: Bench) -> Iterator[Any]:
    """An app whose runs work for long; stopped at the end."""
    app = bench.app(SLOW)
    yield app
    for row in leases.lapsed():
        runs.stop(row)
    for worker in leases.workers():
        for run_id in leases.held(worker):
            runs.stop(rows.begun(run_id))


def at_work(asked: list[rows.Run]) -> int:
    """How many of them work."""
    return sum(rows.begun(run.id).status == "running" for run in asked)


def test_the_next_is_of_who_has_fewest_and_of_equals_of_who_was_chosen_longest_ago() -> None:
    shares: Shares[str] = Shares()
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        shares.add(item[0], item)
    order = []
    while chosen := shares.next():
        order.append(chosen[1])
        # One place, free again each time: nobody has more than another, and nobody wins each draw.
        shares.done(chosen[0])
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert (len(shares), shares.taken) == (0, Counter())


def test_what_is_at_work_counts_against_its_owner() -> None:
    shares: Shares[str] = Shares(most=2)
    for item in ("b1", "b2", "a1", "a2", "a3", "c1"):
        shares.add(item[0], item)
    shares.next()
    assert [chosen and chosen[1] for chosen in (shares.next() for _ in range(5))] == ["a1", "c1", "b2", "a2", None]
    assert shares.waiting("a") == 1, "nobody has more than the most"
    shares.done("a")
    assert shares.next() == ("a", "a3")


def test_the_many_runs_of_one_caller_leave_the_next_free_slot_to_another_caller(
    bench: Bench, bob: Bench, configure: Callable[..., None], slow: Any, soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=3)
    many = [bench.start(slow) for _ in range(50)]
    soon(lambda: at_work(many) == 3)
    one = bob.start(slow)
    runs.stop(bench.stored(many[0]))
    soon(lambda: at_work([one]))
    assert at_work(many) == 2, "no other run began before it"


def test_after_a_restart_each_caller_has_a_turn_before_one_has_a_second(
    bench: Bench, bob: Bench, configure: Callable[..., None], slow: Any, soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=0)
    many, one = [bench.start(slow) for _ in range(5)], bob.start(slow)
    configure(max_concurrent_runs=2)
    soon(lambda: at_work([one]))
    soon(lambda: at_work(many) == 1)


def test_a_worker_takes_runs_in_turns_of_their_callers(
    bench: Bench, bob: Bench, configure: Callable[..., None], slow: Any
) -> None:
    configure(max_concurrent_runs=0)
    many, others = [bench.start(slow) for _ in range(5)], [bob.start(slow) for _ in range(2)]
    assert [run.id for run in leases.free(3)] == [many[0].id, others[0].id, many[1].id]
    # What other workers have of a caller's counts as its turns.
    for run in many[:2]:
        assert leases.take(run, "elsewhere", 60)
    assert [run.id for run in leases.free(3)] == [others[0].id, others[1].id, many[2].id]
    assert [run.id for run in leases.lapsed()][:3] == [others[0].id, others[1].id, many[2].id]
    assert len(leases.lapsed({"elsewhere"})) == 7


def test_a_run_that_nobody_had_room_for_stands_in_line_with_those_that_began_here(
    bench: Bench, bob: Bench, configure: Callable[..., None], slow: Any, soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=2, sweep_seconds=3600)
    many = [bench.start(slow) for _ in range(6)]
    version = apps.version(slow.id, None)
    assert version is not None
    made = {"app_id": slow.id, "version_id": version.id, "inputs": {}, "mode": "workflow"}
    one, more = (rows.create(caller=bob.caller, **made) for _ in range(2))
    assert recovery.recover(runs.machine()) == 0, "another process may have room"
    assert recovery.recover(runs.machine()) == 1
    assert recovery.recover(runs.machine()) == 0, "its caller has one here"
    runs.stop(bench.stored(many[0]))
    soon(lambda: at_work([one]))
    assert (at_work(many), rows.begun(more.id).worker) == (1, "")


def test_runs_that_were_taken_up_count_as_those_of_who_began_them(
    bench: Bench, bob: Bench, configure: Callable[..., None], slow: Any, soon: Callable[..., Any]
) -> None:
    configure(max_concurrent_runs=0)
    taken_up = [bench.start(slow) for _ in range(2)]
    configure(max_concurrent_runs=2, sweep_seconds=3600)
    soon(lambda: at_work(taken_up) == 2)
    more = bench.start(slow)
    one = bob.start(slow)
    runs.stop(bench.stored(taken_up[0]))
    soon(lambda: at_work([one, more]))
    assert at_work([one]), "the other caller has one at work already"


def test_a_caller_has_no_more_runs_queued_and_at_work_than_one_may(
    bench: Bench, bob: Bench, configure: Callable[..., None], slow: Any
) -> None:
    configure(max_runs_per_subject=3, max_concurrent_runs=1)
    asked = [bench.start(slow), bench.start(bench.app(SLOW)), bench.start(slow)]
    with pytest.raises(Refusal) as refused:
        bench.start(slow)
    assert (refused.value.code, refused.value.headers) == ("too_many_requests", {"Retry-After": "5"})
    assert "3 runs" in refused.value.message
    assert refused.value.hint == "Wait until one has ended, or stop one."
    bob.start(slow)
    runs.stop(bench.stored(asked[0]))
    bench.start(slow)


def test_runs_that_wait_for_a_person_are_not_counted_and_their_answers_never_refused(
    bench: Bench, configure: Callable[..., None], slow: Any
) -> None:
    configure(max_runs_per_subject=1, secret_key="k")
    waiting = bench.start(bench.app(review()))
    head = bench.events(waiting)
    bench.start(slow)
    answer(token_of(head), comment="fine")
    assert bench.events(waiting, len(head))[-1]["data"]["status"] == "succeeded"


def test_a_request_that_is_sent_again_gets_its_run_although_there_is_no_room_for_another(
    bench: Bench, configure: Callable[..., None], slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(max_runs_per_subject=1)

    def ask(caller: Caller) -> rows.Run:
        body: dict[str, Any] = {"inputs": {}}
        return runs.start(slow, apps.version(slow.id, None), caller, body, "a-key")

    first = ask(bench.caller)
    assert ask(bench.caller).id == first.id
    # Also where it is found only in the transaction that would begin it.
    real, asked = idempotency.run_of, []

    def late(claim: idempotency.Claim) -> str | None:
        asked.append(claim)
        return None if len(asked) == 1 else real(claim)

    monkeypatch.setattr(idempotency, "run_of", late)
    assert ask(bench.caller).id == first.id


def test_of_many_at_once_as_many_begin_as_a_caller_may_have(
    bench: Bench, configure: Callable[..., None], slow: Any
) -> None:
    configure(max_runs_per_subject=4)

    def start(_: int) -> bool:
        try:
            return bool(bench.start(slow))
        except Refusal:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(start, range(12))) == 4


def test_a_run_taken_up_is_its_external_callers_own(world_external: rows.Run) -> None:
    from engine.running.opening import context_of

    assert context_of(world_external, {}).caller.subject == world_external.subject


@pytest.fixture
def world_external(bench: Bench) -> rows.Run:
    """A run of somebody that another issuer vouches for."""
    app = bench.app(SLOW)
    caller = replace(bench.caller, account_id=None, issuer="https://idp.example:8443", email="guest@partner.example")
    return rows.create(app_id=app.id, version_id="v", caller=caller, inputs={}, mode="workflow")
