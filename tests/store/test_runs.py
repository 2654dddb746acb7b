"""Runs, their events, conversations and the audit trail."""

from __future__ import annotations

import pytest
from pony.orm import IntegrityError

from store import audit, conversations, events, leases, run_counts, run_lists, runs
from store.db import writes
from store.run_row import ENDINGS
from store.sql import change
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.world import World, caller_of, mint_external


def start(world: World, **more: object) -> runs.Run:
    values = {"app_id": world.app.id, "inputs": {"topic": "Ä\x00"}, "mode": "workflow", "query": "why\x00?", **more}
    return runs.create(
        version_id=world.app.published_id or "",
        caller=world.owner_caller,
        **values,  # type: ignore[arg-type]
    )


def test_a_run_is_found_by_both_its_ids_and_only_by_its_owner(world: World) -> None:
    run = start(world)
    assert run.status == "queued"
    assert run.inputs == {"topic": "Ä\x00"}
    assert run.query == "why?"
    for one in (run.id, run.task_id, run.id.upper()):
        assert runs.visible(world.owner_caller, world.app.id, one) == run
    for caller, app, one in [
        (world.other_caller, world.app.id, run.id),
        (world.external_caller, world.app.id, run.id),
        (world.owner_caller, world.chat.id, run.id),
        (world.owner_caller, world.app.id, "x"),
    ]:
        assert runs.visible(caller, app, one) is None


@pytest.mark.parametrize("whose", ["subject", "app"])
def test_of_many_that_begin_at_once_as_many_do_as_there_is_room_for(world: World, whose: str) -> None:
    @writes
    def begin() -> bool:
        subject = world.owner_caller.subject
        is_free = (
            run_counts.subject_has_room(subject, 3) if whose == "subject" else run_counts.has_room(world.app.id, 3)
        )
        if is_free:
            start(world)
        return is_free

    begun = race(*[begin] * 12)
    assert sorted(begun, key=str) == [False] * 9 + [True] * 3


def test_a_run_of_an_external_subject_is_not_that_of_a_namesake_elsewhere(world: World) -> None:
    run = runs.create(
        app_id=world.public_app.id, version_id="v", caller=world.external_caller, inputs={}, mode="workflow"
    )
    namesake = caller_of(mint_external("guest@partner.example", "https://elsewhere.example"))
    assert runs.visible(namesake, world.public_app.id, run.id) is None


def test_a_run_ends_once(world: World, clock: FakeClock) -> None:
    run = start(world)
    assert runs.begin(run.id)
    assert not runs.begin(run.id)
    clock.advance(2)
    assert runs.finish(run.id, "succeeded", {"a": [1, None]}, elapsed=1.5, total_tokens=7, total_steps=3)
    assert not runs.finish(run.id, "failed", error="late")
    assert not runs.request_stop(run.id)
    done = runs.for_worker(run.id)
    assert done is not None
    assert done.is_over
    assert done.outputs == {"a": [1, None]}
    assert done.error is None
    assert (done.elapsed, done.total_tokens, done.total_steps, done.finished_at) == (1.5, 7, 3, clock.now())


def test_fifty_endings_leave_one(world: World) -> None:
    run = start(world)
    runs.begin(run.id)
    results = race(*[lambda ending=one: runs.finish(run.id, ending) for one in sorted(ENDINGS) * 12])
    assert results.count(True) == 1
    assert results.count(False) == 47


@pytest.mark.parametrize(
    ("moves", "status"),
    [
        ([("pause", False)], "queued"),
        ([("begin", True), ("pause", True), ("pause", False), ("begin", True)], "running"),
        ([("begin", True), ("pause", True)], "paused"),
    ],
)
def test_only_the_moves_of_the_table_happen(world: World, moves: list[tuple[str, bool]], status: str) -> None:
    run = start(world)
    for move, happens in moves:
        assert getattr(runs, move)(run.id) is happens
    now = runs.for_worker(run.id)
    assert now is not None
    assert now.status == status
    with pytest.raises(ValueError, match="does not end"):
        runs.finish(run.id, "queued")


def test_stopping_is_asked_and_seen(world: World) -> None:
    run = start(world)
    assert not runs.stop_requested(run.id)
    assert runs.request_stop(run.id)
    assert runs.request_stop(run.id)
    assert runs.stop_requested(run.id)


def test_what_nobody_executes_after_a_restart_is_found(world: World) -> None:
    queued, running, paused, ended = (start(world) for _ in range(4))
    for run in (running, paused, ended):
        runs.begin(run.id)
    runs.pause(paused.id)
    runs.finish(ended.id, "stopped")
    assert [run.id for run in leases.lapsed()] == [queued.id, running.id]
    assert run_counts.active_count(world.app.id) == 2


def test_events_are_read_by_cursor(world: World) -> None:
    run = start(world)
    assert events.last_seq(run.id) == 0
    assert events.read(run.id, 0, 10) == []
    events.append(run.id, 1, [f'{{"n":{n}}}' for n in range(1, 451)])
    events.append(run.id, 451, ['{"n":451}'])
    events.append(run.id, 452, [])
    assert events.last_seq(run.id) == 451
    assert events.read(run.id, 449, 10) == [(450, '{"n":450}'), (451, '{"n":451}')]
    assert [seq for seq, _ in events.read(run.id, 0, 3)] == [1, 2, 3]


def test_how_many_events_there_are_and_how_long_they_are_together(world: World) -> None:
    run, other = start(world), start(world)
    assert events.extent(run.id) == (0, 0)
    events.append(run.id, 1, ["abc", "Ä\x00"])
    events.append(other.id, 1, ["x"] * 9)
    assert events.extent(run.id) == (2, 4)
    assert events.extent(other.id) == (9, 9)


def test_how_many_of_some_events_are_stored_already_from_a_number_on(world: World) -> None:
    run = start(world)
    events.append(run.id, 1, ["a", "b", "c"])
    assert events.already(run.id, 2, ["b", "c", "d"]) == 2
    assert events.already(run.id, 3, ["c"]) == 1
    assert events.already(run.id, 2, ["c"]) == 0
    assert events.already(run.id, 4, ["d"]) == 0


def test_the_last_event_that_begins_so_is_found_and_zero_without_one(world: World) -> None:
    run, other = start(world), start(world)
    events.append(run.id, 1, ["ab1", "ab2", "b", "xab"])
    events.append(other.id, 1, ["x"] * 3 + ["ab"])
    assert [events.last_beginning(run.id, text) for text in ("ab", "x", "abc")] == [2, 4, 0]


def test_no_more_events_are_read_at_a_time_than_fit_but_one_at_least(world: World) -> None:
    run, other = start(world), start(world)
    events.append(run.id, 1, ["aa", "bb", "cc", "d" * 9])
    events.append(other.id, 1, ["x"] * 9)
    assert events.some(run.id, 0, 10, 4) == [(1, "aa"), (2, "bb")]
    assert events.some(run.id, 0, 10, 5) == [(1, "aa"), (2, "bb")]
    assert events.some(run.id, 2, 10, 1) == [(3, "cc")], "however long it is"
    assert events.some(run.id, 3, 10, 4) == [(4, "d" * 9)]
    assert events.some(run.id, 0, 1, 100) == [(1, "aa")]
    assert len(events.some(run.id, 0, 10, 100)) == 4
    assert events.some(run.id, 4, 10, 100) == []


def test_a_batch_of_events_is_stored_whole_or_not_at_all(world: World) -> None:
    run = start(world)
    events.append(run.id, 250, ["{}"])
    with pytest.raises(IntegrityError):
        events.append(run.id, 1, ["{}"] * 250)
    assert [seq for seq, _ in events.read(run.id, 0, 1000)] == [250]


def test_many_runs_append_at_once(world: World) -> None:
    mine = [start(world) for _ in range(20)]

    def write(run_id: str) -> None:
        for first in range(1, 51, 5):
            events.append(run_id, first, ["{}"] * 5)

    assert race(*[lambda one=run.id: write(one) for run in mine]) == [None] * 20
    assert {events.last_seq(run.id) for run in mine} == {50}


def test_a_conversation_belongs_to_one_app_and_one_subject(world: World) -> None:
    made = conversations.open(world.chat.id, world.owner_caller, {"tone": "dry"}, "New")
    assert conversations.visible(world.owner_caller, world.chat.id, made.id) == made
    assert conversations.visible(world.owner_caller, world.app.id, made.id) is None
    assert conversations.visible(world.other_caller, world.chat.id, made.id) is None
    assert conversations.visible(world.owner_caller, world.chat.id, "x") is None
    conversations.rename(made.id, "Renamed")
    conversations.save_variables(made.id, {"n": 1})
    assert conversations.variables(made.id) == {"n": 1}


def test_messages_come_back_in_order_and_are_finished_once(world: World, clock: FakeClock) -> None:
    made = conversations.open(world.chat.id, world.owner_caller, {}, "")
    for n in range(3):
        message = conversations.create_message(made.id, query=f"q{n}", inputs={"n": n})
        clock.advance(1)
        assert conversations.finish_message(message.id, answer=f"a{n}", tokens=n, metadata={"usage": {}})
        assert not conversations.finish_message(message.id, answer="again")
    assert conversations.message_count(made.id) == 3
    assert [(one.query, one.answer, one.status) for one in conversations.history(made.id)] == [
        (f"q{n}", f"a{n}", "normal") for n in range(3)
    ]
    assert [one.query for one in conversations.history(made.id, limit=2)] == ["q1", "q2"]


def test_a_history_has_no_more_turns_than_fit_and_a_long_one_ends_it(world: World, clock: FakeClock) -> None:
    made = conversations.open(world.chat.id, world.owner_caller, {}, "")
    for answer in ("a" * 900, *["b" * 90] * 60):
        message = conversations.create_message(made.id, query="q", inputs={})
        clock.advance(1)
        conversations.finish_message(message.id, answer=answer)
    each = 90 + len("q") + 2 * len("{}")
    assert len(conversations.history(made.id, most=3 * each)) == 3
    assert len(conversations.history(made.id, most=3 * each - 1)) == 2
    assert len(conversations.history(made.id, most=900)) == 900 // each
    assert len(conversations.history(made.id, most=60 * each + 800)) == 60, "and not the long one"
    assert len(conversations.history(made.id, most=100_000)) == 61
    assert len(conversations.history(made.id, limit=40, most=100_000)) == 40


def test_a_page_is_told_no_more_of_long_texts_than_it_shows(world: World) -> None:
    made = conversations.open(world.chat.id, world.owner_caller, {}, "")
    long = "x" * (run_lists.OF_ANSWER + 10)
    message = conversations.create_message(made.id, query=long, inputs={})
    run = start(world, app_id=world.chat.id, conversation_id=made.id, message_id=message.id, query=long)
    assert run.query == long
    conversations.finish_message(message.id, answer=long)
    (turn,) = run_lists.turns(world.owner_caller, world.chat.id, made.id)
    assert {len(turn.query), len(turn.answer)} == {run_lists.OF_TURN + 1}
    assert run_lists.answer(message.id) == "x" * run_lists.OF_ANSWER + "…"


def test_the_audit_trail_is_newest_first(opened_store: str, clock: FakeClock) -> None:
    for n in range(3):
        audit.record(f"thing.{n}", actor="account:1", request_id="r", n=n)
    assert [entry.event for entry in audit.recent(2)] == ["thing.2", "thing.1"]
    assert audit.recent(1)[0].fields == {"n": 2}
    assert audit.recent(1)[0].at == clock.now()


def test_a_transaction_that_fails_leaves_nothing(world: World) -> None:
    @writes
    def half() -> None:
        change("UPDATE accounts SET name = 'half'")
        raise KeyError

    with pytest.raises(KeyError):
        half()
    assert caller_of_name(world) == "Olive Owner"


def caller_of_name(world: World) -> str:
    from store import accounts

    found = accounts.get(world.owner.id)
    return found.name if found else ""


def test_a_write_that_is_tried_again_is_told_from_one_of_another_process(world: World) -> None:
    run = start(world)
    assert events.claim(run.id, 1, ["a", "b"])
    assert events.claim(run.id, 1, ["a", "b"]), "the answer was lost, not the write"
    assert events.claim(run.id, 1, ["a", "b", "c"]), "and more was told meanwhile"
    assert not events.claim(run.id, 3, ["another"])
    assert not events.claim(run.id, 2, ["b", "another", "d"])
    assert events.read(run.id, 0, 10) == [(1, "a"), (2, "b"), (3, "c")]
