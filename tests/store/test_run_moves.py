"""How runs move for the processes that execute them: only from where they are, and only for who holds them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from store import checkpoints, conversations, forms, runs
from store.checkpoints import Halt
from store.clock import current
from store.forms import Draft
from tests.doubles import FakeClock
from tests.world import World


def start(world: World, worker: str = "a", **more: Any) -> runs.Run:
    values = {"app_id": world.app.id, "version_id": "v", "caller": world.owner_caller, "mode": "workflow", **more}
    return runs.create(inputs={}, worker=worker, lease_seconds=30, **values)


def now(run: runs.Run) -> runs.Run:
    return runs.begun(run.id)


def kept(run: runs.Run, *drafts: Draft) -> None:
    """Have the run keep where it can go on from."""
    assert checkpoints.save(Halt(run.id, "a", "sealed", 1, [], [], list(drafts), {}))


def test_what_is_returned_of_a_new_run_is_what_is_stored(world: World, clock: FakeClock) -> None:
    plain = start(world)
    assert plain == now(plain)
    assert (plain.query, plain.files, plain.started_at, plain.lease_until) == (
        None, None, None, clock.now() + timedelta(seconds=30),
    )  # fmt: skip
    full = start(world, query="why?", files=[{"id": "f"}], conversation_id="c", message_id="m")
    assert full == now(full)
    assert (full.query, full.files, full.conversation_id, full.message_id) == ("why?", [{"id": "f"}], "c", "m")
    assert (full.subject, full.account_id) == (world.owner_caller.subject, world.owner.id)


def test_a_run_that_is_not_there_cannot_have_begun(opened_store: str) -> None:
    with pytest.raises(RuntimeError, match="is gone"):
        runs.begun("01900000-0000-7000-8000-00000000ffff")
    assert runs.for_worker("01900000-0000-7000-8000-00000000ffff") is None
    assert not runs.stop_requested("01900000-0000-7000-8000-00000000ffff")


def test_the_first_run_of_a_conversation_is_the_callers_oldest(world: World, clock: FakeClock) -> None:
    talk = conversations.open(world.chat.id, world.owner_caller, {}, "").id
    other = conversations.open(world.chat.id, world.owner_caller, {}, "").id
    chat = {"app_id": world.chat.id, "mode": "advanced-chat"}
    start(world, conversation_id=other, **chat)
    first = start(world, conversation_id=talk, **chat)
    clock.advance(1)
    start(world, conversation_id=talk, **chat)
    assert runs.first_of(world.owner_caller, world.chat.id, talk) == first
    assert runs.first_of(world.other_caller, world.chat.id, talk) is None
    assert runs.first_of(world.owner_caller, world.app.id, talk) is None


def test_a_run_begins_only_for_the_worker_that_holds_it(world: World, clock: FakeClock) -> None:
    run = start(world)
    assert not runs.begin(run.id, "b")
    assert now(run).status == "queued"
    clock.advance(3)
    assert runs.begin(run.id, "a")
    assert (now(run).status, now(run).started_at) == ("running", clock.now())


def test_a_run_that_is_to_stop_does_not_begin_for_its_worker(world: World) -> None:
    run = start(world)
    runs.request_stop(run.id)
    assert not runs.begin(run.id, "a")
    assert now(run).status == "queued"


@pytest.mark.parametrize(("new", "is_held"), [("a", True), ("b", False), ("", False)])
def test_a_run_waits_again_for_the_worker_named(world: World, new: str, is_held: bool) -> None:
    run = start(world)
    assert not runs.requeue(run.id, "a", new), "it has not begun"
    runs.begin(run.id)
    assert not runs.requeue(run.id, "b", new), "it is not that worker's"
    assert runs.requeue(run.id, "a", new)
    assert (now(run).status, now(run).worker) == ("queued", new)
    assert (now(run).lease_until == run.lease_until) is is_held


def test_a_run_is_ended_only_by_the_worker_that_holds_it(world: World) -> None:
    run = start(world)
    runs.begin(run.id)
    assert not runs.finish(run.id, "succeeded", worker="b")
    assert now(run).status == "running"
    assert runs.finish(run.id, "failed", error="b\x00roken", exceptions_count=2, worker="a")
    ended = now(run)
    assert (ended.status, ended.outputs, ended.error, ended.exceptions_count) == ("failed", None, "broken", 2)
    assert (ended.elapsed, ended.total_tokens, ended.total_steps) == (0, 0, 0)


@pytest.mark.parametrize("seen", [("queued", "a"), ("running", "b")])
def test_a_run_is_not_ended_for_who_saw_it_otherwise(world: World, seen: tuple[str, str]) -> None:
    run = start(world)
    runs.begin(run.id)
    assert not runs.finish(run.id, "failed", held_as=seen)
    assert runs.finish(run.id, "failed", held_as=("running", "a"))


def test_only_with_its_run_a_checkpoint_goes_and_a_form_expires(world: World) -> None:
    moment = current().now()
    mine, other = start(world), start(world)
    for number, run in enumerate((mine, other)):
        runs.begin(run.id)
        form_id = f"01900000-0000-7000-8000-0000000000f{number}"
        draft = Draft(form_id, "e", "node", f"hash {number}", {}, moment, moment + timedelta(hours=1))
        kept(run, draft, dataclasses.replace(draft, id=form_id.replace("f", "e"), execution_id="x", token_hash=None))
    assert forms.answer(forms.of_run(mine.id)[0].id, {}, "ada", "a", 30, lambda: None) == (True, False)
    assert not runs.finish(mine.id, "succeeded", worker="b")
    assert checkpoints.get(mine.id)
    runs.finish(mine.id, "succeeded")
    assert checkpoints.get(mine.id) is None
    assert checkpoints.get(other.id)
    assert sorted(form.status for form in forms.of_run(mine.id)) == ["expired", "submitted"]
    assert [form.is_waiting for form in forms.of_run(other.id)] == [True, True]
