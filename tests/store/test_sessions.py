"""Tokens: who they speak for, for how long, and that a revoked one is dead at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from store import accounts, db, patience, session_list, sessions, sql
from store.caller import EXTERNAL_SCOPES, Caller
from store.db import reads
from store.refusal import Refusal
from tests.doubles import FakeClock
from tests.store.racing import race
from tests.world import World, caller_of, mint_external, mint_for


@reads
def live(subject: str) -> int:
    return int(sql.rows("SELECT COUNT(*) FROM sessions WHERE subject = ? AND revoked_at IS NULL", subject)[0][0])


def test_an_account_token_speaks_for_the_account(world: World) -> None:
    caller = world.owner_caller
    assert (caller.subject_type, caller.email, caller.name) == ("account", "owner@example.com", "Olive Owner")
    assert caller.scopes == {"full"}
    assert caller.subject == f"account:{world.owner.id}"


def test_an_external_token_speaks_for_issuer_and_address(world: World) -> None:
    caller = world.external_caller
    assert caller.subject_type == "external_sso"
    assert caller.account_id is None
    assert caller.scopes == EXTERNAL_SCOPES
    assert caller.subject == "external:https://idp.example.com:guest@partner.example"


def test_the_same_address_at_two_issuers_is_two_subjects(world: World) -> None:
    elsewhere = caller_of(mint_external("guest@partner.example", "https://elsewhere.example"))
    assert elsewhere.subject != world.external_caller.subject
    assert not session_list.revoke(elsewhere, world.external_caller.session_id)
    assert session_list.page(elsewhere, 1, 10)[1] == 1


def test_no_issuer_and_address_are_read_as_another_issuer_and_address(world: World) -> None:
    at_port = caller_of(mint_external("guest@partner.example", "https://idp.example.com:8443"))
    with pytest.raises(Refusal) as refused:
        mint_external("8443:guest@partner.example", "https://idp.example.com")
    assert refused.value.code == "invalid_param"
    assert session_list.page(at_port, 1, 10)[1] == 1


def test_an_external_subject_needs_an_issuer(opened_store: str) -> None:
    with pytest.raises(Refusal):
        mint_external("guest@partner.example", "")


def test_what_minting_tells_is_what_the_token_then_says(world: World, clock: FakeClock) -> None:
    token, made = sessions.mint(
        account_id=None,
        email=" Guest@Partner.Example ",
        issuer="https://idp.example.com",
        client_id="difyctl",
        device_label="la\x00ptop",
        ttl=timedelta(days=3),
    )
    assert len(token) == len(sessions.EXTERNAL_PREFIX) + 43, "32 bytes in base64"
    assert made == sessions.Session(
        made.id, "dfoe_", "difyctl", "laptop", clock.now(), None, clock.now() + timedelta(days=3), False
    )
    assert caller_of(token) == Caller(
        subject_type="external_sso",
        account_id=None,
        email="guest@partner.example",
        issuer="https://idp.example.com",
        name="guest@partner.example",
        session_id=made.id,
        client_id="difyctl",
        scopes=EXTERNAL_SCOPES,
        expires_at=made.expires_at,
    )


def test_the_address_of_an_account_is_told_as_it_is_written(world: World) -> None:
    mixed = accounts.create("Mixed@Example.com", "M")
    assert caller_of(mint_for(mixed)).email == accounts.get(mixed.id).email  # type: ignore[union-attr]


def test_what_cannot_be_a_token_is_not_even_looked_up(opened_store: str) -> None:
    assert sessions.remembered("dfoa_" + "x" * 123) == (False, None), "128 characters are possible"
    for token in ("dfoa_" + "x" * 124, "x" * 43, "app-1234"):
        assert sessions.remembered(token) == (True, None)


def test_a_dead_token_costs_the_same_look_up_whatever_it_died_of(
    world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the time of the answer says nothing. The first sight of one that has just expired also ends it for good."""
    revoked, expired, banned = (mint_for(world.owner, "a"), mint_for(world.owner, "b", days=1), mint_for(world.other))
    clock.advance(2 * 86_400)
    sessions.resolve(expired)
    session_list.revoke(caller_of(revoked), caller_of(revoked).session_id)
    accounts.set_status(world.other.id, "banned")
    work: list[str] = []
    for name in ("row", "rows", "change", "sha256"):
        monkeypatch.setattr(sql, name, _counted(work, getattr(sql, name)))
    spent = []
    for token in ("dfoa_" + "x" * 43, revoked, expired, banned):
        work.clear()
        assert sessions.resolve(token) is None
        spent.append(list(work))
    assert spent == [["sha256", "sha256", "row"]] * 4


def _counted(work: list[str], function: Callable[..., object]) -> Callable[..., object]:
    def counted(*given: object) -> object:
        work.append(function.__name__)
        return function(*given)

    return counted


ODD_TOKENS = ["", "dfoa_", "dfoa_" + "x" * 43, "app-1234", "dfoa_" + "x" * 9999, "dfoa_\ud800", "dfoa_\x00"]


@pytest.mark.parametrize("token", ODD_TOKENS)
def test_unknown_tokens_speak_for_nobody(opened_store: str, token: str) -> None:
    assert sessions.resolve(token) is None


def test_minting_again_for_the_same_device_ends_the_session_before(world: World) -> None:
    again = mint_for(world.owner)
    assert sessions.resolve(world.owner_token) is None
    assert caller_of(again).session_id != world.owner_caller.session_id
    mint_for(world.owner, label="phone")
    mint_for(world.owner, client_id="another")
    assert live(world.owner_caller.subject) == 3


def test_an_address_change_still_rotates(world: World) -> None:
    changed = sessions.mint(
        account_id=world.owner.id,
        email="new@example.com",
        issuer=None,
        client_id="difyctl",
        device_label="laptop",
        ttl=timedelta(days=1),
    )
    assert sessions.resolve(world.owner_token) is None
    assert sessions.resolve(changed[0]) is not None
    assert live(world.owner_caller.subject) == 1


def test_expiry_is_compared_on_every_hit_and_a_clock_set_back_revives_nothing(world: World, clock: FakeClock) -> None:
    token = mint_for(world.owner, label="brief", days=1 / 86400)
    clock.advance(0.5)
    assert sessions.resolve(token) is not None
    clock.advance(0.5)  # the cached answer is half a second old, the token is over
    assert sessions.resolve(token) is None
    clock.jump(-300)
    assert sessions.resolve(token) is None


def test_a_token_is_looked_up_at_most_once_a_second(
    world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    load = sessions._load

    def counted(key: str) -> Caller | None:
        looked_up.append(key)
        return load(key)

    monkeypatch.setattr(sessions, "_load", counted)
    clock.advance(2)
    for _ in range(40):
        assert sessions.resolve(world.owner_token) is not None
        clock.advance(0.0625)
    assert len(looked_up) == 3  # at 0, 1 and 2 seconds of 2.5


def test_a_revocation_empties_the_cache_at_once(world: World) -> None:
    assert sessions.resolve(world.owner_token) is not None
    assert session_list.revoke(world.owner_caller, world.owner_caller.session_id)
    assert sessions.resolve(world.owner_token) is None


def test_revoking_is_idempotent_and_only_ones_own(world: World) -> None:
    own = world.owner_caller.session_id
    assert session_list.revoke(world.owner_caller, own)
    assert session_list.revoke(world.owner_caller, own.upper())
    assert not session_list.revoke(world.other_caller, own)
    assert not session_list.revoke(world.owner_caller, world.other_caller.session_id)
    assert not session_list.revoke(world.owner_caller, "not-a-uuid")
    assert sessions.resolve(world.other_token) is not None


def test_external_subjects_see_and_end_their_own_sessions(world: World) -> None:
    rows, total = session_list.page(world.external_caller, 1, 10)
    assert total == 1
    assert rows[0].current
    assert rows[0].prefix == "dfoe_"
    assert session_list.revoke(world.external_caller, rows[0].id)
    assert sessions.resolve(world.external_token) is None


@pytest.mark.parametrize("status", sorted(accounts.STATUSES - {"active"}))
def test_an_account_that_is_not_active_has_no_sessions(world: World, status: str) -> None:
    assert accounts.set_status(world.owner.id, status)
    assert sessions.resolve(world.owner_token) is None
    accounts.set_status(world.owner.id, "active")
    assert sessions.resolve(world.owner_token) is None
    accounts.set_status(world.owner.id, "banned")
    with pytest.raises(Refusal) as caught:
        mint_for(world.owner)
    assert caught.value.code == "account_inactive"


def test_last_used_is_written_at_most_once_a_minute_and_only_forward(world: World, clock: FakeClock) -> None:
    first = clock.now()
    for _ in range(59):
        clock.advance(1)
        sessions.resolve(world.owner_token)
    assert session_list.for_account(world.owner.id)[0].last_used_at == first
    clock.advance(2)
    sessions.resolve(world.owner_token)
    assert session_list.for_account(world.owner.id)[0].last_used_at == clock.now()
    clock.jump(-3600)
    clock.advance(2)
    sessions.resolve(world.owner_token)
    last = session_list.for_account(world.owner.id)[0].last_used_at
    assert last is not None
    assert last > clock.now()


def test_who_only_reads_waits_for_no_writer_to_note_it(
    world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []

    def away(*_: object) -> None:
        waits.append(not patience.is_hurried())
        raise db.Away(OSError("locked"))

    monkeypatch.setattr(sessions, "_touch", away)
    monkeypatch.setattr(sessions, "_expire", away)
    clock.advance(3600)
    assert sessions.resolve(world.owner_token) is not None
    clock.advance(400 * 86400)
    assert sessions.resolve(world.owner_token) is None
    assert waits == [False, False]


def test_pages_are_newest_first_without_gap_or_repeat(world: World, clock: FakeClock) -> None:
    for n in range(7):
        mint_for(world.owner, label=f"device {n}")  # all of one moment: the id decides
    clock.advance(1)
    mint_for(world.owner, label="newest")
    pages = [session_list.page(world.owner_caller, n, 4) for n in (1, 2, 3, 4, 10**30)]
    assert [total for _, total in pages] == [9] * 5
    assert [len(rows) for rows, _ in pages] == [4, 4, 1, 0, 0]
    listed = [row.id for rows, _ in pages for row in rows]
    assert len(set(listed)) == 9
    assert listed[1:] == sorted(listed[1:], reverse=True)
    assert pages[0][0][0].device_label == "newest"
    assert [row.id for rows, _ in pages for row in rows if row.current] == [world.owner_caller.session_id]


def test_two_first_sign_ins_from_one_device_leave_one_live_session(world: World) -> None:
    for n in range(5):
        results = race(*[lambda label=f"new {n}": mint_for(world.other, label=label)] * 10)
        assert not [one for one in results if isinstance(one, Exception)]
        assert sum(sessions.resolve(one) is not None for one in results if isinstance(one, str)) == 1


def test_a_look_up_that_began_before_a_revocation_is_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.forget()
    load = sessions._load

    def slow(key: str) -> object:
        read = load(key)
        session_list.revoke(world.owner_caller, world.owner_caller.session_id)
        return read

    monkeypatch.setattr(sessions, "_load", slow)
    sessions.resolve(world.owner_token)
    monkeypatch.undo()
    assert sessions.resolve(world.owner_token) is None


def test_the_cache_stays_small_under_a_flood_of_bad_tokens(world: World) -> None:
    for n in range(400):
        sessions.resolve(f"dfoa_{n:043d}")
    assert len(sessions._cache) <= 256 + 10


def test_what_is_remembered_needs_no_database(world: World, clock: FakeClock) -> None:
    sessions.forget()
    assert sessions.remembered(world.owner_token) == (False, None)
    assert sessions.remembered("app-1234") == (True, None)
    sessions.resolve(world.owner_token)
    assert sessions.remembered(world.owner_token) == (True, world.owner_caller)
    clock.advance(1)
    assert sessions.remembered(world.owner_token) == (False, None)
    brief = mint_for(world.owner, label="brief", days=0.5 / 86400)
    sessions.resolve(brief)
    clock.advance(0.5)
    assert sessions.remembered(brief) == (False, None)
