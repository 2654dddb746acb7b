"""What people do with the pages, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

import store.sessions
from tests.browser.conftest import PASSWORD, ask, connect, sign_in, status_of

Open = Callable[..., Page]


def test_a_newcomer_follows_the_link_signs_in_and_lets_the_device_in(visit: Open) -> None:
    code = ask()
    page = visit(f"/device?user_code={code}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    sign_in(page)
    expect(page.get_by_label("Code")).to_have_value(code)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(code, exact=True)).to_be_visible()
    expect(page.get_by_text("Ada's laptop")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="The device is connected")).to_be_visible()
    assert status_of(code) == "approved"


def test_a_wrong_password_is_said_and_the_next_one_works(visit: Open) -> None:
    page = visit("/signin")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your apps")).to_be_visible()


def test_a_device_is_turned_away(signed_in: Open) -> None:
    code = ask()
    page = signed_in(f"/device/confirm?user_code={code}")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", name="The device was turned away")).to_be_visible()
    assert status_of(code) == "denied"


def test_a_code_that_was_used_is_explained(signed_in: Open) -> None:
    code = ask()
    page, other = (
        signed_in(f"/device/confirm?user_code={code}"),
        signed_in(f"/device/confirm?user_code={code}"),
    )
    page.get_by_role("button", name="Approve").click()
    other.get_by_role("button", name="Deny").click()
    expect(other.get_by_role("heading", name="already been answered")).to_be_visible()
    assert status_of(code) == "approved"


def test_a_wrong_code_is_explained_and_the_right_one_typed_loosely_works(signed_in: Open) -> None:
    code = ask()
    page = signed_in("/device")
    page.get_by_label("Code").fill("AAAA-AAAA")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No device is waiting")
    page.get_by_label("Code").fill(code.lower().replace("-", ""))
    page.keyboard.press("Enter")
    expect(page.get_by_text(code, exact=True)).to_be_visible()


def test_a_request_from_another_place_is_pointed_out(signed_in: Open) -> None:
    page = signed_in(f"/device/confirm?user_code={ask(address='203.0.113.9')}")
    expect(page.get_by_text("another address than the one you are using")).to_be_visible()
    page.goto(f"/device/confirm?user_code={ask(label='near')}")
    expect(page.get_by_text("another address than the one you are using")).to_have_count(0)


def test_a_device_is_ended_and_the_other_stays(signed_in: Open) -> None:
    lost, kept = connect("Lost phone"), connect("Desk")
    page = signed_in("/devices")
    page.get_by_role("listitem").filter(has_text="Lost phone").get_by_role("button", name="End session").click()
    expect(page.get_by_role("status")).to_contain_text("has ended")
    expect(page.get_by_role("heading", name="Desk")).to_be_visible()
    expect(page.get_by_role("heading", name="Lost phone")).to_have_count(0)
    assert store.sessions.resolve(lost) is None
    assert store.sessions.resolve(kept) is not None


def test_signing_out_closes_the_door(signed_in: Open) -> None:
    page = signed_in("/devices")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/devices")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_everything_works_with_the_keyboard_alone(visit: Open) -> None:
    code = ask()
    page = visit("/device")
    keys = page.keyboard
    expect(page.get_by_label("E-mail address")).to_be_focused()
    keys.type("ada@example.com")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_label("Code")).to_be_focused()
    keys.type(code)
    keys.press("Tab")
    expect(page.get_by_role("button", name="Continue")).to_be_focused()
    keys.press("Space")
    expect(page).to_have_url(re.compile("/device/confirm"))
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keys.press("Enter")
    keys.press("Tab")
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus must be seen"
    keys.press("Enter")
    expect(page.get_by_role("heading", name="The device is connected")).to_be_visible()
