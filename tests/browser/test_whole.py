"""Pages and API together: cookies, the device flow, revocation, and the contract to read."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import sign_in
from tests.judge import fair

Open = Callable[..., Page]


def test_a_device_is_let_in_by_a_person_uses_its_token_and_is_shown_the_door(visit: Open, base: str) -> None:
    api = f"{base}/openapi/v1"
    started = fair(httpx.post(f"{api}/oauth/device/code", json={"client_id": "difyctl", "device_label": "Workbench"}))
    code = started.json()

    page = visit(code["verification_uri_complete"].removeprefix(base))
    sign_in(page)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(code["user_code"], exact=True)).to_be_visible()
    expect(page.get_by_text("Workbench")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="The device is connected")).to_be_visible()

    poll = {"client_id": "difyctl", "device_code": code["device_code"]}
    token = fair(httpx.post(f"{api}/oauth/device/token", json=poll)).json()["access_token"]
    device = {"Authorization": f"Bearer {token}"}
    me = fair(httpx.get(f"{api}/account", headers=device))
    assert (me.status_code, me.json()["account"]["email"]) == (200, "ada@example.com")

    page.goto("/devices")
    page.get_by_role("listitem").filter(has_text="Workbench").get_by_role("button", name="End session").click()
    expect(page.get_by_role("status")).to_contain_text("has ended")
    refused = fair(httpx.get(f"{api}/account", headers=device))
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")


def test_the_cookie_of_the_pages_approves_through_the_api_from_our_own_pages_only(signed_in: Open, base: str) -> None:
    page = signed_in("/devices")
    api = f"{base}/openapi/v1/oauth/device"
    code = httpx.post(f"{api}/code", json={"client_id": "difyctl", "device_label": "t"}).json()["user_code"]
    approve = {"data": {"user_code": code}}
    for headers in ({}, {"Origin": "https://evil.example"}, {"X-CSRF-Token": "0" * 64}):
        forged = page.request.post(f"{api}/approve", headers=headers, **approve)
        assert (forged.status, forged.json()["code"]) == (403, "csrf_failed")
    own = page.request.post(f"{api}/approve", headers={"Origin": base}, **approve)
    assert (own.status, own.json()) == (200, {"status": "approved"})


def test_the_contract_can_be_read_with_no_other_host(visit: Open) -> None:
    """``visit`` fails for a console message and for a request to another host."""
    page = visit("/openapi/v1/docs")
    expect(page.get_by_role("heading", name="Dify user-scoped API")).to_be_visible()
    expect(page.get_by_role("heading", name="Run an app and watch")).to_be_attached()
    page.get_by_role("textbox").first.fill("device")  # the search works in a worker of its own
    expect(page.get_by_role("menuitem").filter(has_text="device").first).to_be_visible()
