"""Answers with files, and the mails of forms: what several processes may do at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import store.runs
from store import checkpoints, db, files, forms, mails
from store.caller import Caller
from store.checkpoints import Halt
from store.clock import current, current_ids
from store.forms import Draft
from store.mails import MailDraft
from store.runs import Run
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.waiting import HANG, until, until_stuck
from tests.world import World

HOUR = timedelta(hours=1)


def asked(world: World, addresses: int = 1, caller: Caller | None = None) -> tuple[Run, str]:
    """A run that waits, and the id of its form, which goes out by mail."""
    caller = caller or world.owner_caller
    run = store.runs.create(app_id=world.app.id, version_id="v", caller=caller, inputs={}, mode="workflow")
    form_id, now = current_ids().uuid7(), current().now()
    drafts = tuple(MailDraft(f"a{n}@x.example", f"{n}:{form_id}", "Subject", "Body") for n in range(addresses))
    draft = Draft(form_id, f"e:{form_id}", "node", None, {"inputs": []}, now, now + HOUR, drafts)
    write = db.writes(lambda: forms.insert(run, [draft]))
    write()
    write()
    return run, form_id


def given(form_id: str, using: Any = lambda: None) -> tuple[bool, bool]:
    return forms.answer(form_id, {"action": "a", "inputs": {}}, "test", "w", 30, using)


def test_each_mail_is_claimed_once_until_it_is_due_again(world: World, clock: FakeClock) -> None:
    asked(world, 5)
    claims = race(*[mails.claim] * 8)
    found = [one.address for claim in claims if isinstance(claim, list) for one in claim]
    assert sorted(found) == [f"a{n}@x.example" for n in range(5)], claims
    assert mails.claim() == []
    clock.advance(31)
    again = mails.claim()
    assert [one.attempts for one in again] == [1] * 5
    mails.settle(again[0].token_hash, "sent")
    mails.settle(again[0].token_hash, "failed")
    clock.advance(61)
    assert len(mails.claim()) == 4


def test_mails_are_claimed_in_turns_of_the_callers_whose_runs_ask(world: World, clock: FakeClock) -> None:
    _, many = asked(world, 30)
    clock.advance(1)
    _, few = asked(world, 2, world.other_caller)
    assert [one.form_id for one in mails.claim(4)] == [many, few, many, few]
    assert {one.form_id for one in mails.claim(4)} == {many}


def test_a_mail_is_tried_as_long_as_its_form_waits_every_half_hour_at_last(world: World, clock: FakeClock) -> None:
    asked(world)
    for tried in range(7):
        assert [one.attempts for one in mails.claim()] == [tried]
        clock.advance(min(30 * 2**tried, 1800) - 1)
        assert mails.claim() == []
        clock.advance(1)
    assert mails.claim() == [], "its hour is over"


def test_a_mail_opens_its_form_where_no_app_is_named(world: World) -> None:
    _, form_id = asked(world)
    found = forms.by_token_hash(f"0:{form_id}")
    assert found is not None
    assert found.id == form_id
    assert forms.by_token_hash(f"0:{form_id}", world.app.id) is None
    assert mails.sent_to(f"0:{form_id}") == (form_id, "a0@x.example")


def test_the_mails_of_a_form_that_is_answered_or_expired_are_let_go(world: World, clock: FakeClock) -> None:
    _, answered = asked(world)
    assert given(answered) == (True, False)
    assert mails.claim() == []
    asked(world)
    clock.advance(3601)
    assert mails.claim() == []


def test_an_answer_whose_file_is_gone_is_not_taken(world: World) -> None:
    _, form_id = asked(world)

    def gone() -> None:
        raise files.FileGone

    with pytest.raises(files.FileGone):
        given(form_id, gone)
    assert given(form_id) == (True, False)


class Meanwhile:
    """Has one thing happen in the middle of another, as far as that lets it."""

    def __init__(self) -> None:
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread: int | None = None

    def begin(self) -> None:
        """Called in the middle."""
        self._begun.set()
        until(lambda: self._thread is not None, "the other thing")
        until_stuck(self._thread or 0, self._over.is_set)

    def then[T](self, what: Callable[[], T]) -> Callable[[], T]:
        """What happens meanwhile."""

        def late() -> T:
            assert self._begun.wait(HANG)
            self._thread = threading.get_ident()
            try:
                return what()
            finally:
                self._over.set()

        return late


def test_an_answer_and_the_end_of_its_run_take_turns(world: World) -> None:
    run, form_id = asked(world)
    assert store.runs.begin(run.id, "")
    assert store.runs.pause(run.id)
    meanwhile = Meanwhile()
    ending = meanwhile.then(lambda: store.runs.finish(run.id, "stopped"))
    assert race(lambda: given(form_id, meanwhile.begin), ending) == [(True, True), True]


def test_no_run_begins_to_wait_for_an_answer_that_is_being_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run, form_id = asked(world)
    assert store.runs.begin(run.id, "")
    goes_on, meanwhile = forms._go_on, Meanwhile()

    def slowly(*given: Any) -> bool:
        went = goes_on(*given)
        meanwhile.begin()
        return went

    monkeypatch.setattr(forms, "_go_on", slowly)
    halt = Halt(
        run_id=run.id, worker="", sealed="", first_seq=1, payloads=["{}"], waiting=[f"e:{form_id}"], drafts=[],
        metadata={},
    )  # fmt: skip
    pausing = meanwhile.then(lambda: checkpoints.pause(halt))
    assert race(lambda: given(form_id), pausing) == [(True, False), "answered"]


def test_of_answers_that_give_one_file_at_once_one_gives_it(world: World) -> None:
    file = files.create(
        current_ids().uuid7(), world.app, world.other_caller, origin="upload", name="a", extension="",
        mime_type="text/plain", size=1, kept_for=HOUR,
    )  # fmt: skip
    pairs = [asked(world) for _ in range(6)]

    def answer(run: Run, form_id: str) -> bool:
        def using() -> None:
            files.hand_over(world.other_caller, run, world.app.id, [file.id], HOUR, None)

        return given(form_id, using)[0]

    results = race(*[lambda run=run, form_id=form_id: answer(run, form_id) for run, form_id in pairs])  # type: ignore[misc]
    assert [one for one in results if one is True] == [True], results
    assert [type(one) for one in results if one is not True] == [files.FileGone] * 5
    assert [form.status for run, _ in pairs for form in forms.of_run(run.id)].count("submitted") == 1
    assert files.visible(world.owner_caller, world.app.id, file.id) is not None
    assert files.visible(world.other_caller, world.app.id, file.id) is None
