"""The threads beside the event loop: whatever one caller's requests wait for, nobody else waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from server.app import create_app
from server.parts import PAGE_THREADS
from tests.server.conftest import CONTRACT, HANDLERS, ORIGIN, settings_in
from tests.waiting import HANG, until_async, whole

STRANGER, OTHER = "192.0.2.1", "192.0.2.2"
THING = "/tiny/things/018f3c5d-2e7c-7c10-9a44-6a1f0b2c3d06"
SLOW = {"x-slow": "yes"}


class Gate:
    """What slow requests wait for; ``begun`` counts them."""

    def __init__(self) -> None:
        self.opened, self.begun = threading.Event(), 0

    def wait(self) -> None:
        self.begun += 1
        assert self.opened.wait(HANG)


@asynccontextmanager
async def client(app: Any, address: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as found:
        yield found


async def others_are_served(app: Any, gate: Gate, path: str, most: int) -> None:
    """Many slow requests of one address take ``most`` threads, and another address gets its answer meanwhile."""
    async with client(app, STRANGER) as stranger, client(app, OTHER) as other:
        slow = [asyncio.create_task(stranger.get(path, headers=SLOW)) for _ in range(4 * most)]
        try:
            await until_async(lambda: gate.begun == most, "as many slow requests as may be at work")
            assert (await whole(other.get(path))).status_code == 200
            assert gate.begun == most
        finally:
            gate.opened.set()
        assert [(await whole(one)).status_code for one in slow] == [200] * len(slow)


def test_no_caller_has_all_the_threads_of_requests(tmp_path: Path) -> None:
    from connexion import request

    gate = Gate()

    def get_thing(thing_id: str) -> dict[str, Any]:
        if "x-slow" in request.headers:
            gate.wait()
        return {"thing_id": thing_id}

    settings = settings_in(tmp_path, request_threads=4)
    app = create_app(settings, contract=CONTRACT, handlers={**HANDLERS, "getThing": get_thing}, with_pages=False)
    asyncio.run(others_are_served(app, gate, THING, 3))


def test_no_address_has_all_the_threads_of_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def page(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_X_SLOW" in environ:
            gate.wait()
        start("200 OK", [])
        return [b"here"]

    monkeypatch.setattr("web.pages.create_pages", lambda *_: SimpleNamespace(wsgi_app=page))
    app = create_app(settings_in(tmp_path), contract=CONTRACT, handlers=HANDLERS)
    asyncio.run(others_are_served(app, gate, "/", PAGE_THREADS * 3 // 4))


def test_an_exception_in_a_thread_is_the_requests_own(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path, request_threads=1), contract=CONTRACT, handlers=HANDLERS, with_pages=False)

    async def asked() -> list[int]:
        async with client(app, STRANGER) as stranger:
            return [(await whole(stranger.get(path))).status_code for path in ("/tiny/raise/refusal", THING)]

    assert asyncio.run(asked()) == [409, 200]
