"""The pages over a fresh SQLite store, asked by Flask's test client as a browser would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import contract
import store
import store.accounts
import store.device
from store.attempts import Attempts
from store.code_guesses import CodeGuesses
from store.windows import Bucket
from tests import databases
from web.pages import create_pages

ORIGIN = "http://pages.test"
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[None]:
    """A store of its own for each test."""
    store.open(databases.fresh_sqlite(tmp_path))
    yield
    store.close()


@pytest.fixture
def ada(opened: None) -> store.accounts.Account:
    """The account that signs in."""
    return store.accounts.create(EMAIL, "Ada", PASSWORD)


@pytest.fixture
def app(opened: None) -> Flask:
    """The pages at plain http."""
    attempts = Attempts()
    guesses = CodeGuesses(attempts, code_buckets())
    return create_pages(ORIGIN, "a secret for tests", lambda environ: str(environ["REMOTE_ADDR"]), attempts, guesses)


def code_buckets() -> dict[str, Bucket]:
    """The buckets of wrong user codes, as the contract states them."""
    stated = [item for _, _, operation in contract.operations() for item in operation.get("x-rate-limit", [])]
    wrong = [item for item in stated if item.get("counts") == "wrong"]
    return {item["key"]: Bucket(item["bucket"], item["limit"], item["window"]) for item in wrong}


@dataclass
class Browser:
    """A test client with a browser's manners: an Origin on each POST, the form token of the page it is on."""

    client: FlaskClient

    def get(self, path: str) -> TestResponse:
        """One page."""
        return self.client.get(path, base_url=ORIGIN)

    def post(self, path: str, data: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """Send a form from a page of this server."""
        more.setdefault("headers", {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"})
        return self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, base_url=ORIGIN, **more)

    def token(self) -> str:
        """The form token the pages give this session; empty when nobody is signed in."""
        _, _, rest = self.get("/").get_data(as_text=True).partition('name="csrf_token" value="')
        return rest.partition('"')[0]

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD, onward: str = "") -> TestResponse:
        """Send the sign-in form."""
        return self.post("/signin", {"email": email, "password": password, "next": onward})


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser that nobody has signed in with."""
    return Browser(app.test_client())


@pytest.fixture
def signed_in(browser: Browser, ada: store.accounts.Account) -> Browser:
    """Ada's browser."""
    assert browser.sign_in().status_code == 303
    return browser


@pytest.fixture
def asked(opened: None) -> store.device.DeviceStart:
    """A device that waits for an answer."""
    return store.device.start("difyctl", "Ada's laptop", "203.0.113.9")
