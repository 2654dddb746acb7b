"""The device flow: the exact sequence of RFC 8628, and exactly one winner whoever races."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest

from store import accounts, audit, device, sessions, sql
from store.db import reads, writes
from store.refusal import OAuthRefusal, Refusal
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.waiting import HANG
from tests.world import World

TTL = timedelta(days=14)


def begin(**more: int) -> device.DeviceStart:
    return device.start("difyctl", "laptop", "192.0.2.1", **more)


def refused(device_code: str, client_id: str = "difyctl") -> OAuthRefusal:
    with pytest.raises(OAuthRefusal) as caught:
        device.poll(device_code, client_id, "192.0.2.1", TTL)
    return caught.value


@reads
def everything_stored() -> str:
    tables = ("sessions", "device_flows", "cookies", "audit")
    return "\n".join(str(row) for table in tables for row in sql.rows(f"SELECT * FROM {table}"))


@reads
def count(table: str) -> int:
    return int(sql.rows(f"SELECT COUNT(*) FROM {table}")[0][0])


def test_codes_have_the_promised_form(opened_store: str) -> None:
    started = begin()
    assert started.device_code.startswith("dc_")
    assert len(started.device_code) == 35
    left, right = started.user_code.split("-")
    assert len(left) == len(right) == 4
    assert set(left + right) <= set(device.ALPHABET)
    assert (started.expires_in, started.interval) == (900, 5)


def test_pending_then_approved_then_collected_once(world: World, clock: FakeClock) -> None:
    started = begin()
    assert refused(started.device_code).error == "authorization_pending"
    device.approve(started.user_code, world.owner.id)
    clock.advance(5)
    token, session, account = device.poll(started.device_code, "difyctl", "192.0.2.1", TTL)
    assert account == world.owner
    assert token.startswith("dfoa_")
    assert len(token) == 48
    caller = sessions.resolve(token)
    assert caller is not None
    assert caller.session_id == session.id
    assert caller.account_id == world.owner.id
    clock.advance(5)
    assert refused(started.device_code).error == "expired_token"


def test_every_poll_that_comes_too_early_lengthens_the_interval_for_good(opened_store: str, clock: FakeClock) -> None:
    code = begin().device_code
    assert refused(code).error == "authorization_pending"
    clock.advance(4)
    assert (refused(code).error, refused(code).extra) == ("slow_down", {"interval": 15})
    clock.advance(14.9)
    assert refused(code).extra == {"interval": 20}
    clock.advance(20)
    assert refused(code).error == "authorization_pending"


def test_an_approved_code_is_not_handed_out_to_a_hasty_poll_but_later(world: World, clock: FakeClock) -> None:
    started = begin()
    refused(started.device_code)
    device.approve(started.user_code, world.owner.id)
    assert refused(started.device_code).error == "slow_down"
    clock.advance(10)
    assert device.poll(started.device_code, "difyctl", "192.0.2.1", TTL)[2] == world.owner


def test_a_code_works_one_second_before_its_end_and_not_at_its_end(world: World, clock: FakeClock) -> None:
    early, late = begin(), begin()
    device.approve(early.user_code, world.owner.id)
    device.approve(late.user_code, world.owner.id)
    clock.advance(899)
    assert device.poll(early.device_code, "difyctl", "192.0.2.1", TTL)[2] == world.owner
    clock.advance(1)
    assert refused(late.device_code).error == "expired_token"
    clock.jump(-300)
    assert refused(late.device_code).error == "expired_token"  # a clock set back revives nothing


def test_a_flow_is_kept_for_an_hour_after_its_end(opened_store: str, clock: FakeClock) -> None:
    begin()
    clock.advance(900 + 3600)
    begin()
    assert count("device_flows") == 2
    clock.advance(0.001)
    begin()
    assert count("device_flows") == 2, "the first is gone, the others are young"


def test_the_remaining_seconds_count_down(opened_store: str, clock: FakeClock) -> None:
    started = begin()
    clock.advance(0.4)
    assert _found(started).expires_in_remaining == 900
    clock.advance(898.6)
    assert _found(started).expires_in_remaining == 1
    clock.advance(1)
    assert device.lookup(started.user_code) is None


def _found(started: device.DeviceStart) -> device.DeviceFlow:
    flow = device.lookup(started.user_code)
    assert flow is not None
    return flow


def test_the_person_is_shown_what_asks(opened_store: str, clock: FakeClock) -> None:
    flow = _found(begin())
    assert (flow.client_id, flow.device_label, flow.address) == ("difyctl", "laptop", "192.0.2.1")
    assert (flow.status, flow.requested_at) == ("pending", clock.now())


def test_poll_refuses_a_code_minted_for_another_client_and_changes_nothing(world: World, clock: FakeClock) -> None:
    started = begin()
    device.approve(started.user_code, world.owner.id)
    before = everything_stored()
    assert refused(started.device_code, "another").error == "invalid_grant"
    assert everything_stored() == before
    assert device.poll(started.device_code, "difyctl", "192.0.2.1", TTL)[2] == world.owner


@pytest.mark.parametrize("spoil", [str.lower, lambda c: c.replace("-", ""), lambda c: f" {c[:2]} {c[2:]} "])
def test_user_codes_are_accepted_as_people_type_them(opened_store: str, spoil: object) -> None:
    started = begin()
    typed = spoil(started.user_code)  # type: ignore[operator]
    assert device.normalise(typed) == started.user_code
    assert device.lookup(typed) is not None


def test_full_width_letters_and_digits_are_the_same_code() -> None:
    assert device.normalise("".join(chr(ord(one) + 0xFEE0) for one in "AB34-cd56")) == "AB34-CD56"


def test_what_cannot_be_a_code_is_unknown(opened_store: str) -> None:
    for typed in ("", "A", "x" * 5000, "\x00", "ABCD-EFGH-JKLM", "\ud800"):
        assert device.lookup(typed) is None


def test_invented_codes_store_nothing(opened_store: str) -> None:
    for n in range(200):
        assert refused(f"dc_{n}").error == "expired_token"
    assert count("device_flows") == 0
    assert count("audit") == 0


def test_no_token_and_no_code_rests_in_the_database(world: World) -> None:
    started = begin()
    device.approve(started.user_code, world.owner.id)
    token = device.poll(started.device_code, "difyctl", "192.0.2.1", TTL)[0]
    stored = everything_stored()
    for secret in (token, started.device_code, started.user_code, world.owner_token, world.external_token):
        assert secret not in stored


def test_denied_is_access_denied(world: World) -> None:
    started = begin()
    device.deny(started.user_code, world.owner.id)
    assert refused(started.device_code).error == "access_denied"


def test_an_account_banned_between_approval_and_collection_gets_no_token(world: World, clock: FakeClock) -> None:
    started, before = begin(), count("sessions")
    device.approve(started.user_code, world.owner.id)
    accounts.set_status(world.owner.id, "banned")
    assert refused(started.device_code).error == "access_denied"
    accounts.set_status(world.owner.id, "active")
    clock.advance(30)
    assert refused(started.device_code).error == "access_denied"
    assert count("sessions") == before


@pytest.mark.parametrize("first", [device.approve, device.deny])
@pytest.mark.parametrize("second", [device.approve, device.deny])
def test_a_second_answer_is_already_resolved(world: World, first: object, second: object) -> None:
    started = begin()
    first(started.user_code, world.owner.id)  # type: ignore[operator]
    with pytest.raises(Refusal) as caught:
        second(started.user_code, world.owner.id)  # type: ignore[operator]
    assert caught.value.code == "already_resolved"


def test_answering_an_unknown_or_expired_code_is_not_found(world: World, clock: FakeClock) -> None:
    started = begin()
    clock.advance(900)
    for code in (started.user_code, "ABCD-EFGH"):
        with pytest.raises(Refusal) as caught:
            device.approve(code, world.owner.id)
        assert caught.value.code == "not_found"


def test_collecting_from_another_address_is_written_down(world: World) -> None:
    started = begin()
    device.approve(started.user_code, world.owner.id)
    device.poll(started.device_code, "difyctl", "198.51.100.7", TTL)
    assert audit.recent(1)[0].fields == {"started": "192.0.2.1", "collected": "198.51.100.7"}


def test_a_clock_set_back_does_not_slow_the_client_down(opened_store: str, clock: FakeClock) -> None:
    code = begin().device_code
    refused(code)
    clock.jump(-300)
    assert refused(code).error == "authorization_pending"


def test_of_fifty_polls_after_approval_exactly_one_gets_the_token(world: World) -> None:
    started, before = begin(), count("sessions")
    device.approve(started.user_code, world.owner.id)
    results = race(*[lambda: device.poll(started.device_code, "difyctl", "192.0.2.1", TTL)] * 50)
    errors = [one.error for one in results if isinstance(one, OAuthRefusal)]
    assert errors == ["expired_token"] * 49, [one for one in results if isinstance(one, Exception)][:3]
    assert count("sessions") == before + 1


def test_of_fifty_approvals_exactly_one_counts(world: World) -> None:
    started = begin()
    results = race(*[lambda: device.approve(started.user_code, world.owner.id)] * 50)
    losers = [one for one in results if one is not None]
    assert len(losers) == 49
    assert {one.code if isinstance(one, Refusal) else repr(one) for one in losers} == {"already_resolved"}


def test_approve_against_deny_ends_in_one_state(world: World) -> None:
    for _ in range(25):
        started = begin()
        results = race(
            partial(device.approve, started.user_code, world.owner.id),
            partial(device.deny, started.user_code, world.owner.id),
        )
        assert [isinstance(one, Refusal) and one.code for one in results if one] == ["already_resolved"]
        assert _found(started).status == ("approved" if results[0] is None else "denied")


def test_a_taken_user_code_is_drawn_again(opened_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin()
    draws = iter([first.user_code.replace("-", ""), "ABCDEFGH"])
    monkeypatch.setattr("tests.doubles.FakeIds.pick", lambda self, alphabet, n: next(draws))
    assert begin().user_code == "ABCD-EFGH"


def test_few_networks_cannot_take_all_codes_there_are(world: World) -> None:
    for number in range(8):
        device.start("difyctl", "flood", f"203.0.113.{number % 2}", most_open=10)
    mine = device.start("difyctl", "laptop", "192.0.2.1", most_open=10)
    device.start("difyctl", "flood", "198.51.100.1", most_open=10)
    later = [device.start("difyctl", "laptop", address, most_open=10) for address in ("192.0.2.2", "2001:db8::1")]
    for started in (mine, *later):
        assert device.lookup(started.user_code) is not None
    assert count("device_flows") == 10
    with pytest.raises(Refusal) as caught:  # it has most of them itself
        device.start("difyctl", "flood", "203.0.113.7", most_open=10)
    assert caught.value.code == "service_unavailable"


def test_a_network_loses_its_oldest_code_first(world: World, clock: FakeClock) -> None:
    flood = []
    for number in range(4):
        flood.append(device.start("difyctl", "flood", f"203.0.113.{number % 2}", most_open=4))
        clock.advance(1)
    device.start("difyctl", "laptop", "192.0.2.1", most_open=4)
    assert [device.lookup(one.user_code) is None for one in flood] == [True, False, False, False]


def test_who_polls_with_an_invented_code_waits_for_no_writer(opened_store: str) -> None:
    """A flood of them would keep all waiting who have something to write."""
    writing, go = threading.Event(), threading.Event()

    @writes
    def write() -> None:
        sql.change("DELETE FROM device_flows WHERE device_hash = ?", "none")
        writing.set()
        go.wait(HANG)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert writing.wait(HANG)
        assert refused("dc_invented").error == "expired_token"
    finally:
        go.set()
        writer.join(HANG)
