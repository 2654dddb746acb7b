"""Accounts, page sign-ins, workspaces."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from store import accounts, cookies, db, sql, workspaces
from store.refusal import Refusal
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.world import PASSWORD, World


def code_of(caught: pytest.ExceptionInfo[Refusal]) -> str:
    return caught.value.code


def test_an_address_is_one_account_in_any_case(world: World) -> None:
    assert accounts.by_email(" OWNER@Example.COM ") == world.owner
    with pytest.raises(Refusal) as caught:
        accounts.create("Owner@EXAMPLE.com", "Impostor")
    assert code_of(caught) == "conflict"


def test_one_of_ten_simultaneous_sign_ups_with_one_address_wins(opened_store: str) -> None:
    results = race(*[lambda: accounts.create("a@example.com", "A")] * 10)
    assert [isinstance(one, Refusal) and one.code for one in results].count("conflict") == 9
    assert len(accounts.list_all()) == 1


def test_the_password_opens_and_nothing_else_does(world: World) -> None:
    assert accounts.check_password("owner@example.com", PASSWORD) == world.owner
    assert accounts.check_password("owner@example.com", PASSWORD + " ") is None
    assert accounts.check_password("nobody@example.com", PASSWORD) is None
    assert accounts.check_password("other@example.com", "") is None  # has no password at all


def test_a_new_password_replaces_the_old_one_and_signs_every_browser_out(world: World) -> None:
    cookie = cookies.open(world.owner.id)
    assert accounts.set_password(world.owner.id, "battery staple")
    assert accounts.check_password("owner@example.com", PASSWORD) is None
    assert accounts.check_password("owner@example.com", "battery staple") == world.owner
    assert cookies.resolve(cookie) is None
    assert not accounts.set_password("01900000-0000-7000-8000-00000000dead", "x")


def test_a_banned_account_signs_in_no_more(world: World) -> None:
    cookie = cookies.open(world.owner.id)
    accounts.set_status(world.owner.id, "banned")
    assert cookies.resolve(cookie) is None
    assert accounts.check_password("owner@example.com", PASSWORD) is None
    with pytest.raises(Refusal):
        accounts.set_status(world.owner.id, "asleep")


def test_a_cookie_lives_twelve_hours(world: World, clock: FakeClock) -> None:
    cookie = cookies.open(world.owner.id)
    clock.advance(12 * 3600 - 1)
    assert cookies.resolve(cookie) == (world.owner, cookies.csrf_token(cookie))
    clock.advance(1)
    assert cookies.resolve(cookie) is None


def test_a_password_is_kept_as_argon2id_at_the_effort_of_rfc_9106(opened_store: str, full_effort: None) -> None:
    account = accounts.create("a@example.com", "A", "correct horse")
    accounts.set_password(account.id, "correct horse battery")
    read = db.reads(lambda: sql.rows("SELECT password_hash FROM accounts WHERE id = ?", account.id))
    assert extract_parameters(read()[0][0]) == RFC_9106_LOW_MEMORY
    assert accounts.check_password("a@example.com", "correct horse battery") == account


def test_each_cookie_has_its_own_form_token(world: World) -> None:
    first, second = cookies.open(world.owner.id), cookies.open(world.owner.id)
    assert cookies.csrf_token(first) != cookies.csrf_token(second)
    cookies.close(first)
    cookies.close("never issued, but long enough")
    assert cookies.resolve(first) is None
    assert cookies.resolve(second) is not None


@pytest.mark.parametrize("odd", ["", "\x00" * 30, "\ud800" * 30, "x" * 10_000])
def test_odd_values_are_unknown_not_errors(world: World, odd: str) -> None:
    assert cookies.resolve(odd) is None
    assert accounts.by_email(odd) is None
    assert accounts.get(odd) is None
    assert workspaces.visible(world.owner.id, odd) is None


def test_workspaces_come_oldest_first_with_role_and_mark(world: World, clock: FakeClock) -> None:
    clock.advance(1)
    second = workspaces.create("Second", world.owner.id)
    rows = workspaces.of(world.owner.id)
    assert [(row.id, row.role, row.current) for row in rows] == [
        (world.home.id, "owner", True),
        (second.id, "owner", False),
    ]
    assert workspaces.set_current(world.owner.id, second.id).current
    assert [row.current for row in workspaces.of(world.owner.id)] == [False, True]
    assert workspaces.default_id(world.owner.id) == second.id


def test_a_foreign_workspace_is_absent(world: World) -> None:
    assert workspaces.visible(world.owner.id, world.away.id) is None
    assert workspaces.visible(world.owner.id, world.home.id.upper()) is not None
    with pytest.raises(Refusal) as caught:
        workspaces.set_current(world.owner.id, world.away.id)
    assert code_of(caught) == "not_found"


def test_an_archived_workspace_can_be_read_and_is_otherwise_absent(world: World) -> None:
    workspaces.set_status(world.home.id, "archive")
    assert [row.status for row in workspaces.of(world.owner.id)] == ["archive"]
    assert workspaces.visible(world.owner.id, world.home.id) is None
    assert workspaces.visible(world.owner.id, world.home.id, archived=True) is not None
    assert workspaces.visible(world.other.id, world.home.id, archived=True) is None
    assert workspaces.default_id(world.owner.id) is None


def test_a_workspace_has_exactly_one_owner(world: World) -> None:
    with pytest.raises(Refusal) as caught:
        workspaces.add_member(world.home.id, world.other.id, "owner")
    assert code_of(caught) == "conflict"
    assert not workspaces.remove_member(world.home.id, world.owner.id)
    assert not workspaces.set_role(world.home.id, world.owner.id, "normal")
    assert workspaces.remove_member(world.home.id, world.members["normal"].id)


def test_switches_at_once_leave_one_current_workspace(world: World) -> None:
    ids = [workspaces.create(f"W{n}", world.owner.id).id for n in range(6)]
    race(*[lambda chosen=one: workspaces.set_current(world.owner.id, chosen) for one in ids])
    assert [row.current for row in workspaces.of(world.owner.id)].count(True) == 1
