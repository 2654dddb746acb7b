"""From a device without a token to a revoked one, over real HTTP, judged by authlib as an independent client."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import httpx
from authlib.integrations.requests_client import OAuth2Session

from tests.journeys.conftest import PASSWORD, Live
from tests.judge import fair
from tests.waiting import HANG

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def sign_in(live: Live, email: str) -> httpx.Client:
    browser = httpx.Client(base_url=live.base, follow_redirects=True)
    page = browser.get("/signin")
    form = {"email": email, "password": PASSWORD, **_hidden(page.text)}
    assert browser.post("/signin", data=form, headers={"Origin": live.base}).status_code == 200
    return browser


def _hidden(html: str) -> dict[str, str]:
    tags = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", html)
    pairs = ((re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags)
    return {name[1]: value[1] for name, value in pairs if name and value}


def approve(live: Live, browser: httpx.Client, user_code: str) -> httpx.Response:
    return browser.post(
        live.api + "/oauth/device/approve", json={"user_code": user_code}, headers={"Origin": live.base}
    )


def test_a_device_signs_in_uses_its_token_and_revokes_it(live: Live) -> None:
    started = httpx.post(
        live.api + "/oauth/device/code", json={"client_id": "difyctl", "device_label": "story"}
    ).raise_for_status()
    assert started.headers["cache-control"] == "no-store"
    code = started.json()
    poll = {"client_id": "difyctl", "device_code": code["device_code"]}

    waiting = httpx.post(live.api + "/oauth/device/token", json=poll)
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")

    looked = httpx.get(live.api + "/oauth/device/lookup", params={"user_code": code["user_code"]}).json()
    assert looked["valid"] is True
    assert looked["device_label"] == "story"

    browser = sign_in(live, live.ada.email)
    assert approve(live, browser, code["user_code"].replace("-", "").lower()).json() == {"status": "approved"}
    again = approve(live, browser, code["user_code"])
    assert (again.status_code, again.json()["code"]) == (409, "already_resolved")

    # RFC 8628: the client waits the interval between polls. The last one is moved into the past instead.
    with closing(sqlite3.connect(live.database, timeout=HANG)) as database, database:
        database.execute("UPDATE device_flows SET last_poll_at = last_poll_at - interval_s * 1000000")
    collected = httpx.post(live.api + "/oauth/device/token", json=poll).raise_for_status().json()
    assert collected["token"] == collected["access_token"]
    assert collected["token"].startswith("dfoa_")
    assert collected["account"]["email"] == live.ada.email

    mine = {"Authorization": f"Bearer {collected['token']}"}
    sessions = httpx.get(live.api + "/account/sessions", headers=mine).json()["data"]
    assert [row["current"] for row in sessions if row["id"] == collected["token_id"]] == [True]
    assert httpx.delete(live.api + "/account/sessions/self", headers=mine).json() == {"status": "revoked"}
    refused = httpx.get(live.api + "/account", headers=mine)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_a_standard_oauth_client_signs_in_with_form_encoded_requests(live: Live) -> None:
    client = OAuth2Session(client_id="difyctl", token_endpoint_auth_method="none")
    code = httpx.post(live.api + "/oauth/device/code", data={"client_id": "difyctl", "scope": "full"}).json()
    assert {"device_code", "user_code", "verification_uri", "verification_uri_complete"} <= code.keys()
    assert approve(live, sign_in(live, live.bob.email), code["user_code"]).status_code == 200
    token = client.fetch_token(
        live.api + "/oauth/device/token",
        grant_type=GRANT,
        device_code=code["device_code"],
        client_id="difyctl",
    )
    assert token["token_type"] == "Bearer"
    assert client.get(live.api + "/account").json()["subject_email"] == live.bob.email


def test_a_cookie_alone_does_not_approve(live: Live) -> None:
    code = httpx.post(live.api + "/oauth/device/code", json={"client_id": "difyctl", "device_label": "victim"}).json()
    browser = sign_in(live, live.ada.email)
    forged = browser.post(
        live.api + "/oauth/device/approve",
        json={"user_code": code["user_code"]},
        headers={"Origin": "https://evil.example"},
    )
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf_failed")


def test_another_grant_and_another_client_are_named_as_oauth_says(live: Live) -> None:
    """RFC 6749 section 5.2."""
    url, poll = live.api + "/oauth/device/token", {"client_id": "difyctl", "device_code": "dc_unknown"}
    other_grant = fair(httpx.post(url, data={**poll, "grant_type": "password"}))
    assert (other_grant.status_code, other_grant.json()["error"]) == (400, "unsupported_grant_type")
    no_grant = fair(httpx.post(url, data={"client_id": "difyctl"}))
    assert (no_grant.status_code, no_grant.json()["error"]) == (400, "invalid_request")
    stranger = {"client_id": "nobody", "device_label": "x"}
    unknown = fair(httpx.post(live.api + "/oauth/device/code", json=stranger))
    assert (unknown.status_code, unknown.json()["error"]) == (401, "invalid_client")


def test_an_account_names_no_issuer(live: Live) -> None:
    """The issuer tells who vouches for an external subject; the server's own mark for accounts stays inside."""
    mine = fair(httpx.get(live.api + "/account", headers=live.ada.headers)).json()
    theirs = fair(httpx.get(live.api + "/account", headers=live.external)).json()
    assert (mine["subject_issuer"], theirs["subject_issuer"]) == (None, "https://login.partner.example")
