"""Forms from elsewhere are refused, and every page carries the headers that keep it safe."""

from __future__ import annotations

import pytest

import store.accounts
import store.device
from tests.web.conftest import EMAIL, ORIGIN, PASSWORD, Browser

FORMS = ["/signin", "/signout", "/device", "/device/approve", "/device/deny",
         "/devices/0198e8a0-0000-7000-8000-000000000000/revoke"]  # fmt: skip
ELSEWHERE: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": ORIGIN + ".evil.test"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_another_site_is_refused(
    signed_in: Browser, asked: store.device.DeviceStart, path: str, headers: dict[str, str]
) -> None:
    answer = signed_in.post(path, {"user_code": asked.user_code}, headers=headers)
    assert answer.status_code == 403
    assert "no longer valid" in answer.text
    flow = store.device.lookup(asked.user_code)
    assert flow is not None
    assert flow.status == "pending"


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_nobody_can_be_signed_in_by_another_site(
    browser: Browser, ada: store.accounts.Account, headers: dict[str, str]
) -> None:
    answer = browser.post("/signin", {"email": EMAIL, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
@pytest.mark.parametrize("path", [path for path in FORMS if path != "/signin"])
def test_a_form_without_the_token_of_its_session_is_refused(
    signed_in: Browser, asked: store.device.DeviceStart, path: str, token: str
) -> None:
    answer = signed_in.post(path, {"user_code": asked.user_code, "csrf_token": token})
    assert answer.status_code == 403
    flow = store.device.lookup(asked.user_code)
    assert flow is not None
    assert flow.status == "pending"


def test_the_form_token_of_one_session_is_worthless_in_another(signed_in: Browser) -> None:
    old = signed_in.token()
    signed_in.sign_in()
    assert signed_in.token() != old
    assert signed_in.post("/signout", {"csrf_token": old}).status_code == 403


def test_a_browser_that_states_no_origin_but_same_origin_is_heard(
    browser: Browser, ada: store.accounts.Account
) -> None:
    answer = browser.post("/signin", {"email": EMAIL, "password": PASSWORD}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303


@pytest.mark.parametrize("path", ["/", "/signin", "/device", "/devices", "/device/confirm?user_code=x", "/nowhere"])
def test_every_page_runs_nothing_is_framed_by_nobody_and_is_kept_nowhere(signed_in: Browser, path: str) -> None:
    headers = signed_in.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/device", "/devices", "/nowhere"])
def test_no_page_has_script_or_style_of_its_own(signed_in: Browser, path: str) -> None:
    page = signed_in.get(path).text
    assert "<script" not in page
    assert "<style" not in page
    assert "style=" not in page
    assert " on" + "click" not in page


def test_the_stylesheet_may_be_kept_and_is_not_sniffed(browser: Browser) -> None:
    answer = browser.get("/static/pages.css")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"  # kept, and asked about: a new version is seen at once
    assert answer.headers["ETag"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/signout", 405), ("GET", "/device/approve", 405)],
)
def test_what_is_not_there_is_answered_calmly(signed_in: Browser, method: str, path: str, status: int) -> None:
    answer = signed_in.client.open(path, method=method, base_url=ORIGIN)
    assert answer.status_code == status
    assert "Back to the first page" in answer.text
    assert status != 405 or "POST" in answer.headers["Allow"]


def test_a_form_that_is_far_too_large_is_refused(browser: Browser, opened: None) -> None:
    assert browser.post("/signin", {"email": "x" * 100_000}).status_code == 413


def test_an_accident_shows_nothing_of_its_cause(signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(account_id: str) -> list[object]:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("store.session_list.for_account", broken)
    answer = signed_in.get("/devices")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
