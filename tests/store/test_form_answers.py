"""Forms in the store: who finds them, whose time is over, and what the one answer does to the run that waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store import app_changes, conversations, events, forms, runs, sql
from store.clock import current, current_ids
from store.db import reads, writes
from store.forms import Draft
from tests.doubles import FakeClock
from tests.world import World

GIVEN = {"action": "approve", "inputs": {"comment": "Ä"}}
LEASE = 30
MINUTE = timedelta(minutes=1)


def waiting(world: World, app_id: str = "", message_id: str | None = None) -> runs.Run:
    """A run that waits for people, as its app's own or another's."""
    run = runs.create(
        app_id=app_id or world.app.id,
        version_id="v",
        caller=world.owner_caller,
        inputs={},
        mode="workflow",
        message_id=message_id,
        worker="a",
    )
    runs.begin(run.id)
    runs.pause(run.id)
    return run


def ask(run: runs.Run, execution: str = "e", token: str | None = None, wait: timedelta = MINUTE) -> str:
    """Have the run ask a form; out: its id."""
    now = current().now()
    draft = Draft(current_ids().uuid7(), execution, "node", token, {"inputs": ["x"]}, now, now + wait)
    writes(lambda: forms.insert(run, [draft]))()
    return draft.id


def answer(form_id: str) -> tuple[bool, bool]:
    return forms.answer(form_id, GIVEN, "ada\x00", "b", LEASE, lambda: None)


def only(run: runs.Run) -> forms.Form:
    (form,) = forms.of_run(run.id)
    return form


def now(run: runs.Run) -> runs.Run:
    return runs.begun(run.id)


def ids(found: list[forms.Form]) -> list[str]:
    return [form.id for form in found]


@reads
def decided(form_id: str) -> int:
    return int(sql.rows("SELECT decided_at FROM forms WHERE id = ?", form_id)[0][0])


def test_a_form_is_kept_as_it_was_asked_and_asked_once(world: World, clock: FakeClock) -> None:
    run = waiting(world)
    form_id = ask(run)
    asked = clock.now()
    clock.advance(1)
    ask(run)
    assert only(run) == forms.Form(
        form_id, run.id, run.app_id, "e", "node", "waiting", {"inputs": ["x"]}, None, None, asked, asked + MINUTE
    )
    assert only(run).is_waiting
    second = ask(run, "another round")
    assert ids(forms.of_run(run.id)) == [form_id, second], "oldest first"


def test_a_token_opens_its_form_at_its_app_unless_that_was_deleted(world: World) -> None:
    run = waiting(world)
    form_id = ask(run, token="hash")
    ask(run, "e2", token="another")
    for app in (None, world.app.id, world.app.id.upper()):
        found = forms.by_token_hash("hash", app)
        assert found
        assert found.id == form_id
    assert forms.by_token_hash("hash", world.chat.id) is None
    assert forms.by_token_hash("hash", "not an id") is None
    assert forms.by_token_hash("unknown") is None
    assert forms.orphaned() == []
    app_changes.delete(world.app.id)
    assert forms.by_token_hash("hash") is None
    assert len(forms.orphaned()) == 2
    assert len(forms.orphaned(1)) == 1


def test_forms_of_deleted_apps_that_were_decided_need_no_closing(world: World) -> None:
    run = waiting(world)
    answer(ask(run))
    app_changes.delete(world.app.id)
    assert forms.orphaned() == []


def test_a_form_is_due_when_its_own_time_or_that_of_any_form_is_over(world: World, clock: FakeClock) -> None:
    run = waiting(world)
    brief, long = ask(run, "brief", wait=MINUTE), ask(run, "long", wait=timedelta(days=9))
    answer(ask(run, "decided", wait=MINUTE))
    assert forms.due(3600) == []
    clock.advance(60)
    assert ids(forms.due(3600)) == [brief]
    clock.advance(3539.999)
    assert ids(forms.due(3600)) == [brief]
    assert not forms.is_past(forms.of_run(run.id)[0], 3600)
    clock.advance(0.001)
    assert ids(forms.due(3600)) == [brief, long]
    assert ids(forms.due(3600, 1)) == [brief]
    assert forms.is_past(forms.of_run(run.id)[0], 3600)


def test_an_answer_is_taken_once_and_the_run_goes_on_at_who_took_it(world: World, clock: FakeClock) -> None:
    run, other = waiting(world), waiting(world)
    form_id = ask(run)
    ask(other)
    events.append(run.id, 1, ["{}"] * 7)
    clock.advance(59)
    assert answer(form_id) == (True, True)
    form = only(run)
    assert (form.status, form.answer, form.answered_by, form.is_waiting) == ("submitted", GIVEN, "ada", False)
    assert decided(form_id) == clock.now().timestamp() * 1_000_000
    went = now(run)
    assert (went.status, went.worker, went.attempts, went.resumed_after) == ("running", "b", 0, 7)
    assert went.lease_until == clock.now() + timedelta(seconds=LEASE)
    assert (now(other).status, only(other).is_waiting) == ("paused", True)
    assert answer(form_id) == (False, False)
    assert not forms.time_out(form_id, "c", LEASE)
    assert now(run) == went


def test_an_answer_comes_too_late_in_the_moment_that_the_time_is_over_and_not_before(
    world: World, clock: FakeClock
) -> None:
    run = waiting(world)
    form_id = ask(run)
    clock.advance(59)
    assert not forms.time_out(form_id, "b", LEASE), "its time is not over"
    clock.advance(1)
    assert answer(form_id) == (False, False)
    assert only(run).is_waiting
    assert forms.time_out(form_id, "b", LEASE)
    assert (only(run).status, now(run).status, now(run).worker) == ("timeout", "running", "b")
    assert not forms.time_out(form_id, "b", LEASE)
    assert answer(form_id) == (False, False)


def test_what_an_answer_cannot_take_into_use_undoes_it(world: World) -> None:
    run = waiting(world)
    form_id = ask(run)

    def broken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        forms.answer(form_id, GIVEN, "ada", "b", LEASE, broken)
    assert (only(run).is_waiting, now(run).status) == (True, "paused")


def test_an_answer_for_a_run_at_work_or_over_lets_nothing_go_on(world: World) -> None:
    run = waiting(world)
    first, second = ask(run, "one"), ask(run, "two")
    assert answer(first) == (True, True)
    assert answer(second) == (True, False)
    assert answer(current_ids().uuid7()) == (False, False)


def test_the_message_of_a_run_goes_on_with_it(world: World) -> None:
    talk = conversations.open(world.chat.id, world.owner_caller, {}, "").id
    mine, other = (conversations.create_message(talk, query="q", inputs={}) for _ in range(2))
    set_paused(mine.id, other.id)
    run = waiting(world, world.chat.id, mine.id)
    answer(ask(run))
    assert [message.status for message in conversations.history(talk)] == ["running", "paused"]


@writes
def set_paused(*ids: str) -> None:
    for one in ids:
        sql.change("UPDATE messages SET status = 'paused' WHERE id = ?", one)
