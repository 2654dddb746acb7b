"""A tiny contract with odd operations, its handlers, and ways to call it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from connexion import request
from starlette.responses import StreamingResponse

import store
import store.accounts
import store.cookies
import store.sessions
from server.app import App, create_app
from server.settings import Settings, load
from store.refusal import OAuthRefusal, Refusal
from tests import databases

CONTRACT = Path(__file__).parent / "tiny.yaml"
ORIGIN = "http://tiny.test"


async def _ok(**given: Any) -> dict[str, Any]:
    user = given.pop("user", None)
    return {**given, **({"subject": user.subject} if user else {})}


def _in_a_thread(thing_id: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    return {"thing_id": thing_id, "seen": request.headers.get("x-seen")}, 200, {"ETag": '"1"'}


def _raise(what: str) -> Any:
    if what == "exception":
        raise RuntimeError("the cause, with dfoa_secretsecretsecret in it")
    if what == "refusal":
        raise Refusal("conflict", "Taken.", hint="Try another.")
    if what == "oauth":
        raise OAuthRefusal("slow_down", "Slower.", extra={"interval": 10})
    if what == "undeclared":
        return {"n": 1}, 418
    return {"n": "not a number"}


async def _stream() -> StreamingResponse:
    async def events() -> Any:
        for number in range(3):
            yield f"id: {number}\ndata: {{}}\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(events(), media_type="text/event-stream")


async def _gone() -> tuple[None, int]:
    return None, 204


HANDLERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            "getHealth",
            "echoQuery",
            "echoBody",
            "maybeBody",
            "oauthThing",
            "getMe",
            "deleteMe",
            "putMe",
            "pagePost",
            "securePagePost",
            "eitherGet",
        ),
        _ok,
    ),
    "getThing": _in_a_thread,
    "putThing": _in_a_thread,
    "raiseIt": _raise,
    "streamIt": _stream,
    "deleteSpecial": _gone,
}


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings that touch nothing outside a folder."""
    return load(
        _env_file=None,
        **{
            "data_dir": folder,
            "database_url": f"sqlite:///{folder / 'test.db'}",
            "redis_url": None,
            "public_url": ORIGIN,
            "access_log": False,
            **more,
        },
    )


class Client:
    """Calls an app in process, one request at a time."""

    def __init__(self, app: App, address: str = "192.0.2.1") -> None:
        self.app, self.address = app, address

    def __call__(self, method: str, path: str, base: str = "/tiny", **options: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(self.address, 1))
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, base + path, **options)

        return asyncio.run(call())


MakeClient = Callable[..., Client]


def maker(create: Callable[..., App], folder: Path) -> MakeClient:
    """Makes clients of the tiny app, built by ``create_app`` or ``create_stock_app``, with other settings."""

    def build(address: str = "192.0.2.1", **more: Any) -> Client:
        app = create(settings_in(folder, **more), contract=CONTRACT, handlers=HANDLERS, with_pages=False)
        return Client(app, address)

    return build


@pytest.fixture
def make(tmp_path: Path) -> MakeClient:
    """Makes a client of the tiny app with other settings."""
    return maker(create_app, tmp_path)


@pytest.fixture
def call(make: MakeClient) -> Client:
    """A client of the tiny app."""
    return make()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[None]:
    """An open, empty store."""
    store.open(databases.fresh_sqlite(tmp_path, "test.db"))
    yield
    store.close()


@pytest.fixture
def account(opened: None) -> Any:
    """Somebody with an account."""
    return store.accounts.create("ada@mail.example", "Ada", "correct horse battery")


@pytest.fixture
def bearer(account: Any) -> dict[str, str]:
    """A live token of an account, as a header."""
    token, _ = store.sessions.mint(
        account_id=account.id,
        email=account.email,
        issuer=None,
        client_id="difyctl",
        device_label="laptop",
        ttl=timedelta(days=1),
    )
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def external(opened: None) -> dict[str, str]:
    """A live token of an external subject, as a header."""
    token, _ = store.sessions.mint(
        account_id=None,
        email="grace@partner.example",
        issuer="https://idp.example",
        client_id="difyctl",
        device_label="laptop",
        ttl=timedelta(days=1),
    )
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def cookie(account: Any) -> str:
    """A page sign-in of the account."""
    return store.cookies.open(account.id)
