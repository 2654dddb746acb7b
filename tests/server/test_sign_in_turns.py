"""Many who sign in at once keep nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

import store.accounts
from server.app import create_app
from server.sign_in_turns import AT_ONCE, WAITING_OF_NETWORK, SignInTurns
from store.refusal import REFUSED
from tests.server.conftest import ORIGIN, settings_in
from tests.waiting import HANG, until_async, whole

pytestmark = pytest.mark.anyio
FORM = {"email": "ada@mail.example", "password": "wrong"}


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the server runs on."""
    return "asyncio"


async def test_many_passwords_to_check_leave_the_other_pages_their_threads(
    opened: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), []

    def slow(*_: Any) -> None:
        begun.append(1)
        go.wait(HANG)

    monkeypatch.setattr(store.accounts, "check_password", slow)
    app = create_app(settings_in(tmp_path))

    async def ask(method: str, address: str, **more: Any) -> int:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return (await client.request(method, "/signin", **more)).status_code

    strangers = [
        asyncio.create_task(ask("POST", f"203.0.{number}.1", data=FORM, headers={"Origin": ORIGIN}))
        for number in range(20)
    ]
    try:
        await until_async(lambda: len(begun) >= AT_ONCE, "passwords that are checked")
        assert await whole(ask("GET", "192.0.2.1")) == 200
        assert len(begun) == AT_ONCE
    finally:
        go.set()
    assert await whole(asyncio.gather(*strangers)) == [401] * 20


class Pages:
    """Pages that answer when told to, and note who asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refused: list[Any] = []
        self.at_work: list[asyncio.Event] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["client"][0])
        if refused := scope.get(REFUSED):
            self.refused.append(refused)
            return
        self.at_work.append(asyncio.Event())
        await self.at_work[-1].wait()


def signing_in(turns: SignInTurns, address: str) -> asyncio.Task[None]:
    scope = {"type": "http", "method": "POST", "path": "/signin", "client": (address, 1)}
    return asyncio.create_task(turns(scope, None, None))  # type: ignore[arg-type]


async def test_a_network_that_sends_many_passwords_keeps_only_its_own_waiting() -> None:
    pages = Pages()
    turns = SignInTurns(pages, lambda scope: str(scope["client"][0]))
    many = [signing_in(turns, f"203.0.113.{number}") for number in range(50)]
    await until_async(lambda: len(pages.asked) == AT_ONCE)
    mine = signing_in(turns, "192.0.2.1")
    await asyncio.sleep(0)
    pages.at_work[0].set()
    await until_async(lambda: len(pages.asked) == AT_ONCE + 1)
    assert pages.asked[-1] == "192.0.2.1"
    for one in (mine, *many):
        one.cancel()
    await asyncio.gather(mine, *many, return_exceptions=True)
    assert await _is_free(turns, pages)


async def test_who_cannot_be_served_soon_is_told_so_by_the_page() -> None:
    pages = Pages()
    turns = SignInTurns(pages, lambda scope: str(scope["client"][0]), seconds=0)
    at_work = [signing_in(turns, "192.0.2.1") for _ in range(AT_ONCE)]
    await until_async(lambda: len(pages.at_work) == AT_ONCE)
    await whole(signing_in(turns, "198.51.100.1"))  # its time is over
    turns.seconds = HANG
    waiting = [signing_in(turns, "203.0.113.1") for _ in range(WAITING_OF_NETWORK)]
    await asyncio.sleep(0)
    await whole(signing_in(turns, "203.0.113.2"))  # one too many of a network
    assert [(one.status, one.headers) for one in pages.refused] == [(503, {"Retry-After": "10"})] * 2
    for one in (*waiting, *at_work):
        one.cancel()
    await asyncio.gather(*waiting, *at_work, return_exceptions=True)
    assert await _is_free(turns, pages)


async def _is_free(turns: SignInTurns, pages: Pages) -> bool:
    """Whether all places were given back."""
    before = len(pages.at_work)
    again = [signing_in(turns, "192.0.2.77") for _ in range(AT_ONCE)]
    await until_async(lambda: len(pages.at_work) == before + AT_ONCE)
    for one in pages.at_work:
        one.set()
    await whole(asyncio.gather(*again))
    return not turns._shares and not turns._shares.taken
