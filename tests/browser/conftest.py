"""Chromium against the whole server on a free port; a page that logs, breaks or asks elsewhere fails its test."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import store
import store.accounts
import store.device
import store.sessions
import store.workspaces
from bench.measure import free_port
from server.app import create_app
from server.settings import load
from tests.waiting import HANG, until

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = [
    f"--{name}"
    for name in (
        "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync",
    )
]  # fmt: skip
expect.set_options(timeout=HANG * 1000)
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests; each gets a context (cookies, viewport) of its own."""
    if not CHROMIUM:
        told = "no Chromium on this machine; name one in CHROMIUM"
        pytest.fail(told) if os.environ.get("DIFYSPEC_REQUIRE_SERVICES") == "1" else pytest.skip(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    """The address of the whole server, pages and API, with a fresh store in which Ada has an account."""
    port = free_port()
    settings = load(
        _env_file=None, data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/browser.db", redis_url=None, port=port,
        public_url=f"http://127.0.0.1:{port}", access_log=False,
    )  # fmt: skip
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            port=port,
            log_level="warning",
            lifespan="on",
            proxy_headers=False,
            server_header=False,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the server's start")
    assert server.started, "the server did not start"
    ada = store.accounts.create(EMAIL, "Ada", PASSWORD)
    store.workspaces.create("Ada's workspace", ada.id)
    yield settings.base_url
    server.should_exit = True
    thread.join(HANG)


Open = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, base: str) -> Iterator[Open]:
    """Opens a page in a new context and watches it: whatever it reports to the console is a failure."""
    contexts: list[BrowserContext] = []
    reports: list[str] = []

    def start(path: str = "/", **options: Any) -> Page:
        context = chromium.new_context(base_url=base, **options)
        context.set_default_timeout(HANG * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: reports.append(message.text))
        page.on("pageerror", lambda error: reports.append(str(error)))
        page.on("dialog", lambda dialog: reports.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda asked: asked.url.startswith((base, "data:", "blob:")) or reports.append(f"asked {asked.url}"),
        )
        page.goto(path)
        return page

    yield start
    for context in contexts:
        context.close()
    # Chromium reports an answer of 4xx to the console, and a field that was filled in before it got its autofocus; both
    # are intended here.
    intended = ("Failed to load resource", "Autofocus processing was blocked")
    assert [report for report in reports if not report.startswith(intended)] == []


@pytest.fixture
def signed_in(visit: Open) -> Callable[..., Page]:
    """Opens a page as Ada."""

    def start(path: str = "/devices", **options: Any) -> Page:
        page = visit("/signin", **options)
        sign_in(page)
        page.goto(path)
        return page

    return start


def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Fill in the sign-in form that the page shows."""
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def ask(label: str = "Ada's laptop", address: str = "127.0.0.1") -> str:
    """A device asks to be let in; its user code."""
    return store.device.start("difyctl", label, address).user_code


def connect(label: str) -> str:
    """A device of Ada's that is signed in already; its token."""
    ada = store.accounts.by_email(EMAIL)
    assert ada is not None
    token, _ = store.sessions.mint(
        account_id=ada.id,
        email=ada.email,
        issuer=None,
        client_id="difyctl",
        device_label=label,
        ttl=timedelta(14),
    )
    return token


def status_of(code: str) -> str:
    """The state of a device's request."""
    flow = store.device.lookup(code)
    assert flow is not None
    return flow.status
