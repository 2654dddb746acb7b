"""Nobody locks anybody out: what strangers try elsewhere, and what the owner of an account can do meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from flask import Flask

import store.accounts
import store.clock
import store.cookies
from store.attempts import Attempts
from store.refusal import Refusal
from tests.doubles import FakeClock
from tests.web.conftest import EMAIL, PASSWORD, Browser
from web import known_device, limits
from web.pages import create_pages


@pytest.fixture
def clock(opened: None) -> Iterator[FakeClock]:
    """Time that passes only when told to."""
    made = FakeClock()
    store.clock.install(made, None)
    yield made
    store.clock.install(None, None)


def at(app: Flask, address: str) -> Browser:
    """A browser without cookies, at an address."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return Browser(client)


def addresses(count: int) -> Iterator[str]:
    """Addresses of as many networks."""
    return (f"203.{number // 250}.{number % 250}.7" for number in range(count))


def spend(attempts: Attempts, clock: FakeClock) -> int:
    """Guess from many networks until the e-mail address's hundred are used up; out: how many were admitted."""
    admitted = 0
    for address in addresses(60):
        for _ in range(10):
            try:
                limits.count_password(attempts, EMAIL, address, None)
            except Refusal:
                continue
            admitted += 1
    return admitted


def test_a_hundred_wrong_passwords_from_one_address_do_not_lock_the_owner_out(
    app: Flask, ada: store.accounts.Account
) -> None:
    stranger = at(app, "203.0.113.66")
    answers = [stranger.sign_in(password="wrong").status_code for _ in range(105)]
    assert answers == [401] * 10 + [429] * 95
    assert at(app, "192.0.2.1").sign_in().status_code == 303


def test_the_owner_signs_in_with_a_known_browser_whatever_strangers_do(
    app: Flask, ada: store.accounts.Account, clock: FakeClock
) -> None:
    owner = at(app, "192.0.2.1")
    assert owner.sign_in().status_code == 303
    owner.post("/signout")
    with app.app_context():
        spend(app.extensions["pages"].attempts, clock)
    for _ in range(10):  # from her own address, too
        at(app, "192.0.2.1").sign_in(password="wrong")
    assert at(app, "192.0.2.1").sign_in().status_code == 429
    assert owner.sign_in().status_code == 303


def test_a_known_browser_has_few_guesses_too(app: Flask, ada: store.accounts.Account) -> None:
    thief = at(app, "192.0.2.1")
    thief.sign_in()
    assert [thief.sign_in(password="wrong").status_code for _ in range(11)] == [401] * 10 + [429]
    assert thief.sign_in().status_code == 429


def test_many_known_browsers_of_one_account_are_bounded_together(opened: None, clock: FakeClock) -> None:
    attempts = Attempts()
    for number in range(40):
        limits.count_password(attempts, EMAIL, "192.0.2.1", f"device {number}")
    with pytest.raises(Refusal):
        limits.count_password(attempts, EMAIL, "192.0.2.1", "another device")


def test_a_browser_known_for_one_account_is_not_known_for_another(
    app: Flask, ada: store.accounts.Account, clock: FakeClock
) -> None:
    store.accounts.create("eve@example.com", "Eve", "a long password")
    eve = at(app, "192.0.2.9")
    assert eve.sign_in("eve@example.com", "a long password").status_code == 303
    spend(app.extensions["pages"].attempts, clock)
    assert [eve.sign_in(password="wrong").status_code for _ in range(2)] == [429, 429]


@pytest.mark.parametrize("forged", ["", "x", "W10.abc", "[]"])
def test_a_made_up_cookie_makes_no_known_browser(
    app: Flask, ada: store.accounts.Account, clock: FakeClock, forged: str
) -> None:
    stranger = at(app, "192.0.2.9")
    stranger.client.set_cookie(known_device.NAME, forged, domain="pages.test")
    spend(app.extensions["pages"].attempts, clock)
    assert stranger.sign_in().status_code == 429


def test_a_browser_is_known_for_a_year(app: Flask, ada: store.accounts.Account, clock: FakeClock) -> None:
    owner = at(app, "192.0.2.1")
    owner.sign_in()
    clock.advance(known_device.SECONDS + 1)
    spend(app.extensions["pages"].attempts, clock)
    assert owner.sign_in().status_code == 429


def test_a_browser_knows_the_last_five_accounts(app: Flask, opened: None) -> None:
    """What is sent with every request has an end."""
    browser = at(app, "192.0.2.1")
    emails = [f"p{number}@example.com" for number in range(6)]
    for email in emails:
        store.accounts.create(email, "P", "a long password")
        browser.sign_in(email, "a long password")
    cookie = browser.client.get_cookie(known_device.NAME, domain="pages.test")
    assert cookie is not None
    with app.test_request_context("/", headers={"Cookie": f"{known_device.NAME}={cookie.value}"}):
        assert [known_device.of(email) is not None for email in emails] == [False] + [True] * 5


def test_the_cookie_of_a_known_browser_is_read_by_no_script_and_says_no_address(
    app: Flask, ada: store.accounts.Account
) -> None:
    told = at(app, "192.0.2.1").sign_in().headers.getlist("Set-Cookie")
    (cookie,) = [line for line in told if line.startswith(f"{known_device.NAME}=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "ada" not in cookie.lower()


def test_guesses_from_all_the_world_are_bounded_for_an_e_mail_address(opened: None, clock: FakeClock) -> None:
    attempts = Attempts()
    assert spend(attempts, clock) == 101, "the hundred, and one of the reserve"
    admitted = 0
    for _ in range(12):  # two hours
        clock.advance(600)
        admitted += spend(attempts, clock)
    assert admitted <= 2 * (100 + 30)


def test_the_owner_with_another_browser_is_not_locked_out_for_good(opened: None, clock: FakeClock) -> None:
    """One attempt is let through every two minutes; a network pays from its twenty for each that it asks for."""
    attempts = Attempts()
    spend(attempts, clock)
    with pytest.raises(Refusal) as refused:
        limits.count_password(attempts, EMAIL, "192.0.2.1", None)
    assert refused.value.headers["Retry-After"] == "120"
    clock.advance(120)
    limits.count_password(attempts, EMAIL, "192.0.2.1", None)


def test_one_network_cannot_use_up_what_an_e_mail_address_has(opened: None, clock: FakeClock) -> None:
    attempts = Attempts()
    for network in ("203.0.113.{}", "2001:db8:5:{:x}::1"):
        for number in range(250):
            with pytest.raises(Refusal) if number >= 20 else nullcontext():
                limits.count_password(attempts, EMAIL, network.format(number), None)
    assert attempts.look([(limits.EMAIL, EMAIL)]).remaining == 60


def test_an_e_mail_address_is_one_however_it_is_spelt(opened: None, clock: FakeClock) -> None:
    attempts = Attempts()
    for spelling in ("ada@example.com", "ADA@example.com", " Ada@Example.com "):
        limits.count_password(attempts, spelling, "192.0.2.1", None)
    assert attempts.look([(limits.EMAIL, "ada@example.com")]).remaining == 97
    for spelling in ("straße@example.com", "STRASSE@example.com"):
        limits.count_password(attempts, spelling, "192.0.2.1", None)
    assert attempts.look([(limits.EMAIL, "strasse@example.com")]).remaining == 98


def test_cookies_have_the_host_prefix_over_https_and_the_plain_name_is_still_taken(
    ada: store.accounts.Account,
) -> None:
    browser = Browser(create_pages("https://pages.test", "s", lambda environ: "192.0.2.1").test_client())
    sent = {"email": EMAIL, "password": PASSWORD}
    origin = {"Origin": "https://pages.test"}
    answer = browser.client.post("/signin", data=sent, headers=origin, base_url="https://pages.test")
    cookies = answer.headers.getlist("Set-Cookie")
    assert [line.partition("=")[0] for line in cookies] == ["__Host-difyspec_session", "__Host-difyspec_known"]
    for line in cookies:
        assert all(part in line for part in ("Secure", "HttpOnly", "Path=/"))
        assert "Domain" not in line
    old = store.cookies.open(ada.id)
    page = browser.client.get("/devices", base_url="https://pages.test", headers={"Cookie": f"difyspec_session={old}"})
    assert page.status_code == 200
