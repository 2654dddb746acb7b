"""Answering a device: what is asked, what is shown, what a click does, and guessing codes."""

from __future__ import annotations

import pytest
from flask import Flask

import store.accounts
import store.audit
import store.device
from tests.web.conftest import Browser

XSS = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


def status_of(code: str) -> str:
    """The state of a flow in the store."""
    flow = store.device.lookup(code)
    assert flow is not None
    return flow.status


@pytest.mark.parametrize("path", ["/device", "/device/confirm", "/devices"])
def test_the_pages_ask_to_sign_in_first(browser: Browser, opened: None, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/signin?next={path}"


@pytest.mark.parametrize("path", ["/device", "/device/approve", "/device/deny"])
def test_nobody_answers_a_device_without_signing_in(
    browser: Browser, asked: store.device.DeviceStart, path: str
) -> None:
    assert "/signin" in browser.post(path, {"user_code": asked.user_code}).headers["Location"]
    assert status_of(asked.user_code) == "pending"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/device", "/device/confirm", "/device/approve", "/device/deny"])
def test_reading_a_page_never_answers(
    signed_in: Browser, asked: store.device.DeviceStart, path: str, method: str
) -> None:
    signed_in.client.open(f"{path}?user_code={asked.user_code}", method=method, base_url="http://pages.test")
    assert status_of(asked.user_code) == "pending"


def test_a_link_with_the_code_only_fills_in_the_form(signed_in: Browser, asked: store.device.DeviceStart) -> None:
    page = signed_in.get(f"/device?user_code={asked.user_code}").text
    assert f'value="{asked.user_code}"' in page
    assert "laptop" not in page


@pytest.mark.parametrize("spelling", ["{0}", "{1}", "{2}", " {0} "])
def test_a_code_is_taken_as_people_type_it(signed_in: Browser, asked: store.device.DeviceStart, spelling: str) -> None:
    code = asked.user_code
    typed = spelling.format(code, code.replace("-", ""), code.replace("-", " ").lower())
    answer = signed_in.post("/device", {"user_code": typed})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/device/confirm?user_code={code}"


def test_the_question_shows_who_asks_from_where_since_when_and_the_code(
    signed_in: Browser, asked: store.device.DeviceStart
) -> None:
    page = signed_in.get(f"/device/confirm?user_code={asked.user_code}").text
    for shown in ("difyctl", "Ada&#39;s laptop", "203.0.113.9", "just now", asked.user_code,
                  "Only approve if the code on your device matches"):  # fmt: skip
        assert shown in page


def test_approving_lets_the_device_collect_one_token(
    signed_in: Browser, ada: store.accounts.Account, asked: store.device.DeviceStart
) -> None:
    answer = signed_in.post("/device/approve", {"user_code": asked.user_code})
    assert answer.status_code == 200
    assert "The device is connected" in answer.text
    assert status_of(asked.user_code) == "approved"


def test_the_audit_trail_says_who_answered_whom_and_never_the_code(
    signed_in: Browser, ada: store.accounts.Account, asked: store.device.DeviceStart
) -> None:
    signed_in.post("/device/approve", {"user_code": asked.user_code})
    newest = store.audit.recent(1)[0]
    assert (newest.event, newest.actor) == ("oauth.device_flow_approved", f"account:{ada.id}")
    assert newest.fields["device_label"] == "Ada's laptop"
    assert asked.user_code not in str(store.audit.recent(10))


def test_denying_says_so_and_ends_the_code(signed_in: Browser, asked: store.device.DeviceStart) -> None:
    answer = signed_in.post("/device/deny", {"user_code": asked.user_code})
    assert answer.status_code == 200
    assert "turned away" in answer.text
    assert status_of(asked.user_code) == "denied"


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("second", ["approve", "deny"])
def test_a_code_is_answered_once_and_the_second_time_is_calm(
    signed_in: Browser, asked: store.device.DeviceStart, first: str, second: str
) -> None:
    signed_in.post(f"/device/{first}", {"user_code": asked.user_code})
    before = status_of(asked.user_code)
    answer = signed_in.post(f"/device/{second}", {"user_code": asked.user_code})
    assert answer.status_code == 409
    assert "already been answered" in answer.text
    assert status_of(asked.user_code) == before


def test_a_used_code_shows_nothing_of_the_request_any_more(signed_in: Browser, asked: store.device.DeviceStart) -> None:
    signed_in.post("/device/approve", {"user_code": asked.user_code})
    page = signed_in.get(f"/device/confirm?user_code={asked.user_code}").text
    assert "already been answered" in page
    assert "203.0.113.9" not in page
    assert "laptop" not in page


@pytest.mark.parametrize("code", ["AAAA-AAAA", "", "-", "\0", "Ａ" * 8, "x" * 5000, "' OR 1=1 --", XSS])
@pytest.mark.parametrize("path", ["/device", "/device/approve", "/device/deny"])
def test_a_code_that_is_not_known_is_said_to_be_so(signed_in: Browser, path: str, code: str) -> None:
    answer = signed_in.post(path, {"user_code": code})
    assert answer.status_code == 404
    assert "<script" not in answer.text
    assert "<img" not in answer.text


def test_markup_in_a_label_is_shown_as_text(signed_in: Browser) -> None:
    asked = store.device.start("difyctl", XSS, "203.0.113.9")
    question = signed_in.get(f"/device/confirm?user_code={asked.user_code}").text
    answer = signed_in.post("/device/approve", {"user_code": asked.user_code}).text
    for page in (question, answer):
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


def test_markup_in_the_code_of_a_link_is_shown_as_text(signed_in: Browser) -> None:
    assert "<script" not in signed_in.get('/device?user_code="><script>alert(1)</script>').text


def test_guessing_codes_ends_in_429_for_the_account_and_a_right_one_does_not_reset_it(
    signed_in: Browser, asked: store.device.DeviceStart
) -> None:
    wrong = [signed_in.post("/device", {"user_code": "AAAA-AAAA"}).status_code for _ in range(9)]
    assert signed_in.post("/device", {"user_code": asked.user_code}).status_code == 303
    wrong += [signed_in.post("/device", {"user_code": "AAAA-AAAA"}).status_code for _ in range(2)]
    assert wrong == [404] * 10 + [429]
    last = signed_in.post("/device/approve", {"user_code": asked.user_code})
    assert last.status_code == 429
    assert "Retry-After" in last.headers
    assert status_of(asked.user_code) == "pending"


def test_guessing_by_reading_pages_is_counted_too(signed_in: Browser) -> None:
    codes = [signed_in.get("/device/confirm?user_code=AAAA-AAAA").status_code for _ in range(11)]
    assert codes == [404] * 10 + [429]


def test_the_guesses_of_others_at_the_same_address_lock_nobody_out(
    app: Flask, opened: None, asked: store.device.DeviceStart
) -> None:
    seen: list[int] = []
    for number in range(4):
        store.accounts.create(f"p{number}@example.com", "P", "a long password")
        browser = Browser(app.test_client())
        browser.sign_in(f"p{number}@example.com", "a long password")
        seen += [
            browser.post("/device", {"user_code": "AAAA-AAAA"}).status_code for _ in range(11 if number < 3 else 1)
        ]
    assert seen == ([404] * 10 + [429]) * 3 + [404]
    assert browser.post("/device", {"user_code": asked.user_code}).status_code == 303
