"""Signing in: the cookie, the way onward, and guessing."""

from __future__ import annotations

import pytest
from flask import Flask

import store.accounts
import store.cookies
from store.networks import bucket
from tests.web.conftest import EMAIL, PASSWORD, Browser
from web import guard
from web.pages import create_pages
from web.signin import local_path


def test_signing_in_sets_a_cookie_no_script_can_read_and_no_other_site_can_post_with(
    browser: Browser, ada: store.accounts.Account
) -> None:
    cookie = browser.sign_in().headers["Set-Cookie"]
    assert cookie.startswith(f"{guard.COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie


def test_the_cookie_is_secure_when_the_server_is_reached_by_https(ada: store.accounts.Account) -> None:
    app = create_pages("https://pages.test", "s", lambda environ: "192.0.2.1")
    answer = app.test_client().post(
        "/signin", data={"email": EMAIL, "password": PASSWORD}, headers={"Origin": "https://pages.test"}
    )
    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("email", "password"),
    [(EMAIL, "wrong"), ("nobody@example.com", PASSWORD), ("", ""), (EMAIL, ""), (EMAIL, "a\0b"),
     ("a\0b", PASSWORD), (EMAIL, "x" * 5000)],
)  # fmt: skip
def test_a_wrong_pair_is_refused_in_the_same_words(
    browser: Browser, ada: store.accounts.Account, email: str, password: str
) -> None:
    answer = browser.sign_in(email, password)
    assert answer.status_code == 401
    assert "do not belong together" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_an_account_that_is_not_active_cannot_sign_in(browser: Browser, ada: store.accounts.Account) -> None:
    store.accounts.set_status(ada.id, "banned")
    assert browser.sign_in().status_code == 401


def test_a_session_ends_when_its_account_stops_being_active(signed_in: Browser, ada: store.accounts.Account) -> None:
    store.accounts.set_status(ada.id, "banned")
    assert "/signin" in signed_in.get("/devices").headers["Location"]


def test_the_address_typed_is_shown_again_and_inert(browser: Browser, opened: None) -> None:
    page = browser.sign_in('"><script>alert(1)</script>@x', "y").text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.test/", "//evil.test/", "/\\evil.test", "\\\\evil.test", "/\t/evil.test",
     "/a\r\nSet-Cookie: x=1", "javascript:alert(1)",
     "evil.test", "", None, "/" + "a" * 600, "/\u2028/evil.test"],
)  # fmt: skip
def test_next_never_leads_to_another_site(app: Flask, wanted: str | None) -> None:
    with app.test_request_context("/"):
        assert local_path(wanted) == "/apps"


def test_next_leads_back_to_the_page_that_asked(browser: Browser, ada: store.accounts.Account) -> None:
    sent_to = browser.get("/device?user_code=ABCD-EFGH").headers["Location"]
    page = browser.get(sent_to).text
    assert 'value="/device?user_code=ABCD-EFGH"' in page
    assert browser.sign_in(onward="/device?user_code=ABCD-EFGH").headers["Location"] == "/device?user_code=ABCD-EFGH"


def test_an_open_redirect_in_the_form_is_refused_too(browser: Browser, ada: store.accounts.Account) -> None:
    assert browser.sign_in(onward="//evil.test/").headers["Location"] == "/apps"


def test_guessing_a_password_ends_in_429_with_a_time_to_wait(browser: Browser, ada: store.accounts.Account) -> None:
    answers = [browser.sign_in(password="wrong") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 901
    assert browser.sign_in().status_code == 429, "the right password must not tell a guesser that it is right"


def test_guesses_from_one_ipv6_network_are_counted_together() -> None:
    assert bucket("2001:db8::1") == bucket("2001:db8::ffff:1") != bucket("2001:db8:0:1::1")
    assert bucket("192.0.2.1") != bucket("192.0.2.2")
    assert bucket("::ffff:192.0.2.1") == bucket("192.0.2.1"), "as a dual-stack socket names IPv4 clients"


def test_guessing_one_account_leaves_the_others_alone(browser: Browser, ada: store.accounts.Account) -> None:
    for _ in range(11):
        browser.sign_in("bob@example.com", "wrong")
    assert browser.sign_in().status_code == 303


def test_signing_out_ends_the_session_on_the_server(signed_in: Browser) -> None:
    cookie = signed_in.client.get_cookie(guard.COOKIE, domain="pages.test")
    assert cookie is not None
    assert signed_in.post("/signout").status_code == 303
    assert store.cookies.resolve(cookie.value) is None


def test_signing_in_again_makes_a_new_session_and_closes_the_old_one(
    signed_in: Browser, ada: store.accounts.Account
) -> None:
    before = signed_in.client.get_cookie(guard.COOKIE, domain="pages.test")
    assert signed_in.sign_in().status_code == 303
    after = signed_in.client.get_cookie(guard.COOKIE, domain="pages.test")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert store.cookies.resolve(before.value) is None


def test_a_made_up_cookie_signs_nobody_in(browser: Browser, opened: None) -> None:
    browser.client.set_cookie(guard.COOKIE, "made-up", domain="pages.test")
    assert browser.get("/devices").status_code == 303


def test_a_sign_in_form_left_open_in_another_tab_still_works(signed_in: Browser) -> None:
    assert signed_in.post("/signin", {"email": EMAIL, "password": PASSWORD, "csrf_token": ""}).status_code == 303
