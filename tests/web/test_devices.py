"""My devices: mine only, and ended by one click."""

from __future__ import annotations

from datetime import timedelta

import store.accounts
import store.sessions
from tests.web.conftest import Browser


def session_of(account: store.accounts.Account, label: str) -> tuple[str, str]:
    """A live session: its token and its id."""
    token, session = store.sessions.mint(
        account_id=account.id, email=account.email, issuer=None, client_id="difyctl", device_label=label,
        ttl=timedelta(days=14),
    )  # fmt: skip
    return token, session.id


def test_the_list_shows_my_sessions_and_nobody_elses(signed_in: Browser, ada: store.accounts.Account) -> None:
    session_of(ada, "Ada's laptop")
    session_of(store.accounts.create("bob@example.com", "Bob"), "Bob's phone")
    page = signed_in.get("/devices").text
    assert "Ada&#39;s laptop" in page
    assert "difyctl" in page
    assert "in 13 days" in page
    assert "Bob" not in page


def test_an_empty_list_says_what_to_do(signed_in: Browser) -> None:
    assert "No device is signed in as you" in signed_in.get("/devices").text


def test_ending_a_session_kills_its_token_at_once(signed_in: Browser, ada: store.accounts.Account) -> None:
    token, session_id = session_of(ada, "laptop")
    assert store.sessions.resolve(token) is not None
    assert signed_in.post(f"/devices/{session_id}/revoke").headers["Location"] == "/devices"
    assert store.sessions.resolve(token) is None
    page = signed_in.get("/devices").text
    assert "has ended" in page
    assert "laptop" not in page
    assert "has ended" not in signed_in.get("/devices").text, "a note is shown once"


def test_ending_a_session_twice_is_calm(signed_in: Browser, ada: store.accounts.Account) -> None:
    _, session_id = session_of(ada, "laptop")
    assert [signed_in.post(f"/devices/{session_id}/revoke").status_code for _ in range(2)] == [303, 303]


def test_the_session_of_somebody_else_is_as_absent_as_one_that_never_was(
    signed_in: Browser, ada: store.accounts.Account
) -> None:
    token, theirs = session_of(store.accounts.create("bob@example.com", "Bob"), "phone")
    answers = [
        signed_in.post(f"/devices/{wanted}/revoke")
        for wanted in (theirs, "0198e8a0-0000-7000-8000-000000000000", "not-an-id", "%00")
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.text for answer in answers[:2]}) == 1
    assert store.sessions.resolve(token) is not None


def test_markup_in_a_label_is_shown_as_text(signed_in: Browser, ada: store.accounts.Account) -> None:
    session_of(ada, "<script>alert(1)</script>")
    assert "<script" not in signed_in.get("/devices").text
