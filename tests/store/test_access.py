"""What access rests on, and how far runs are, asked about many at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from store import access, accounts, apps, events, progress, runs, session_list, sessions, sql, workspaces
from store.caller import Caller
from store.refusal import Refusal
from tests.doubles import FakeClock
from tests.world import World


def create(world: World, caller: Caller) -> runs.Run:
    """A run of the first app."""
    assert world.app.published_id
    return runs.create(
        app_id=world.app.id, version_id=world.app.published_id, caller=caller, inputs={}, mode="workflow"
    )


CHANGES: list[Callable[[World], object]] = [
    lambda w: apps.set_access(w.app.id, "private"),
    lambda w: apps.set_access(w.app.id, "public"),
    lambda w: apps.set_access(w.app.id, "private", ["normal@example.com"]),
    lambda w: apps.set_access(w.app.id, "sso_verified"),
    lambda w: apps.set_api(w.app.id, False),
    lambda w: apps.delete(w.app.id),
    lambda w: workspaces.set_status(w.home.id, "archive"),
    lambda w: workspaces.remove_member(w.home.id, w.members["normal"].id),
    lambda w: accounts.set_status(w.members["normal"].id, "banned"),
    lambda w: session_list.revoke_all(w.members["normal"].id),
]


@pytest.mark.parametrize("change", range(len(CHANGES)))
def test_the_marks_change_whenever_the_answer_to_a_request_does(world: World, change: int) -> None:
    """Of everybody, for one change: where the marks are as they were, so is what a new request is told."""
    account = world.members["normal"]
    token, _ = sessions.mint(
        account_id=account.id, email=account.email, issuer=None, client_id="c", device_label="l",
        ttl=timedelta(days=1),
    )  # fmt: skip
    member = sessions.resolve(token)
    assert member is not None
    callers = (world.owner_caller, world.other_caller, world.external_caller, member)
    held = [access.of(caller, world.app.id) for caller in callers]

    def told() -> list[str | None]:
        return [refusal.code if (refusal := access.refusal(one)) else None for one in held]

    def asked(one: access.Access) -> str | None:
        try:
            apps.visible(one.caller, one.app_id)
        except Refusal as refusal:
            return refusal.code
        return None

    before, answers = access.marks(held), told()
    assert answers == [asked(one) for one in held]
    CHANGES[change](world)
    after, now = access.marks(held), told()
    for place in range(len(held)):
        assert before[place] != after[place] or answers[place] == now[place]
    expected = [asked(one) for one in held]
    if sessions.resolve(token) is None:
        expected[-1] = "invalid_token"
    assert now == expected


def test_a_token_s_access_ends_with_its_time(world: World, clock: FakeClock) -> None:
    held = access.of(world.owner_caller, world.app.id)
    assert access.refusal(held) is None
    clock.advance(15 * 86400)
    refusal = access.refusal(held)
    assert refusal is not None
    assert refusal.code == "invalid_token"


def test_many_are_asked_about_in_few_statements(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = sql.rows

    def rows(statement: str, *values: object) -> list[sql.Row]:
        asked.append(statement)
        return real(statement, *values)

    monkeypatch.setattr(sql, "rows", rows)
    held = [access.of(world.owner_caller, world.app.id), access.of(world.external_caller, world.public_app.id)]
    many = [*held * (access.AT_ONCE // 2), held[0]]
    found = access.marks(many)
    assert len(asked) == 2
    assert found[0] == found[2] == found[-1]
    assert found[1] != found[0]
    assert all(one.is_signed_in for one in found)


def test_how_far_runs_are_is_told_of_all_of_them(world: World) -> None:
    made = [create(world, world.owner_caller) for _ in range(3)]
    events.append(made[1].id, 1, ["a", "b"])
    runs.begin(made[2].id)
    found = progress.of([*(run.id for run in made), "none"])
    assert found == {made[0].id: ("queued", 0), made[1].id: ("queued", 2), made[2].id: ("running", 0)}
    assert progress.page(made[1].id, 1, 10) == ("queued", "workflow", [(2, "b")])
    assert progress.page("none", 0, 10) == (None, "", [])


@pytest.mark.parametrize(("most", "numbers"), [(1, [1]), (9, [1]), (11, [1, 2]), (12, [1, 2, 3]), (100, [1, 2, 3])])
def test_a_page_of_events_is_as_many_as_fit_but_one_at_least(world: World, most: int, numbers: list[int]) -> None:
    run = create(world, world.owner_caller)
    events.append(run.id, 1, ["x" * 5, "y" * 6, "z"])
    assert [seq for seq, _ in progress.page(run.id, 0, most).events] == numbers
