"""The names that the pages answer to: another site's name, pointed at this server, reaches none of them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

import store.accounts
import store.audit
from tests.web.conftest import EMAIL, ORIGIN, PASSWORD, Browser
from web import limits
from web.hosts import Hosts
from web.pages import create_pages

STRANGE = ["evil.test", "pages.test.evil.test", "evilpages.test", "", "pages.test@evil.test", "a b", "[::2]", "1.2.3.4"]


def status(app: Flask, host: str, path: str = "/signin", **more: Any) -> int:
    return app.test_client().get(path, headers={"Host": host}, **more).status_code


@pytest.mark.parametrize("host", STRANGE)
@pytest.mark.parametrize("path", ["/", "/signin", "/nothing", "/static/style.css"])
def test_a_name_that_is_not_ours_gets_no_page(app: Flask, host: str, path: str) -> None:
    assert status(app, host, path) == 421


@pytest.mark.parametrize(
    "host", ["pages.test", "PAGES.test:8000", "pages.test.", "localhost", "127.0.0.1:1", "[::1]:8000"]
)
def test_the_names_of_the_server_and_of_the_machine_itself_get_the_page(app: Flask, host: str) -> None:
    assert status(app, host) == 200


def test_a_strange_name_changes_nothing_even_with_its_own_origin(app: Flask, ada: store.accounts.Account) -> None:
    sent = {"email": EMAIL, "password": PASSWORD}
    answer = app.test_client().post(
        "/signin", data=sent, headers={"Host": "evil.test", "Origin": "http://evil.test"}, base_url="http://evil.test"
    )
    assert answer.status_code == 421
    assert "Set-Cookie" not in answer.headers
    assert "DIFYSPEC_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    ("public", "listens", "more", "host", "own", "known"),
    [
        ("https://a.test", "0.0.0.0", [], "192.0.2.7:8000", "192.0.2.7", True),
        ("https://a.test", "0.0.0.0", [], "192.0.2.8", "192.0.2.7", False),
        ("https://a.test", "::", [], "[2001:db8::7]", "2001:db8::7", True),
        ("https://a.test", "192.0.2.7", [], "192.0.2.7", "", True),
        ("https://a.test", "127.0.0.1", ["b.test"], "B.TEST", "", True),
        ("https://a.test", "127.0.0.1", [".b.test"], "x.y.b.test", "", True),
        ("https://a.test", "127.0.0.1", [".b.test"], "xb.test", "", False),
        ("https://a.test", "127.0.0.1", ["*"], "any.test", "", True),
        ("http://[2001:db8::1]:8000", "127.0.0.1", [], "[2001:db8::1]:8000", "", True),
        ("https://a.test", "0.0.0.0", [], "0.0.0.0", "", False),
    ],
)
def test_which_names_are_ours(public: str, listens: str, more: list[str], host: str, own: str, known: bool) -> None:
    assert Hosts(public, listens, more).know(host, own) is known


def test_pages_at_another_name_may_be_allowed(opened: None) -> None:
    pages = create_pages(ORIGIN, "s", lambda environ: "192.0.2.1", hosts=Hosts(ORIGIN, "", ["other.test"]))
    assert (status(pages, "other.test"), status(pages, "evil.test")) == (200, 421)


def test_form_tokens_that_are_none_are_counted_by_address(app: Flask, opened: None) -> None:
    browser = Browser(app.test_client())
    seen = [browser.get(f"/form/{number:043}").status_code for number in range(limits.BAD_FORM.limit + 2)]
    assert seen == [404] * limits.BAD_FORM.limit + [429] * 2
    assert browser.post("/form/nothing").status_code == 429
    elsewhere = app.test_client()
    assert elsewhere.get("/form/x", base_url=ORIGIN, environ_base={"REMOTE_ADDR": "192.0.2.9"}).status_code == 404


def test_the_audit_trail_has_no_request_id_that_a_client_made_up(app: Flask, ada: store.accounts.Account) -> None:
    sent, lie = {"email": EMAIL, "password": PASSWORD}, "forged\tline <b>"
    accepted = {"asgi.scope": {store.audit.REQUEST_ID: "made-here"}}
    headers = {"Origin": ORIGIN, "X-Request-Id": lie}
    for environ, wanted in ((accepted, "made-here"), ({}, None)):
        answer = app.test_client().post(
            "/signin",
            data=sent,
            headers=headers,
            base_url=ORIGIN,
            environ_overrides=environ,
        )
        assert answer.status_code == 303
        assert store.audit.recent(1)[0].request_id == wanted
