"""Every error code that the contract declares is answered by the running app in some way here, as it is declared.

`tests.judge.fair` holds each answer against its operation: the status, the code, the headers, the body.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

import contract
import store.apps
import store.clock
import store.cookies
import store.device
import store.sessions
import store.workspaces
from engine import runs
from server.app import App, create_app
from server.lifespan import resources
from server.settings import Settings
from store.clock import Clock
from tests.engine.forms import review
from tests.engine.graphs import document, edge, end, node
from tests.judge import BASE, fair
from tests.server.conftest import ORIGIN, settings_in
from tests.world import World, build, make_app, mint_for

FORM = {"Content-Type": "multipart/form-data; boundary=b"}
QUICK = document([node("start", "start", variables=[]), end()], [edge("start", "end")])
DECLARED = {
    code
    for _, _, operation in contract.operations()
    for codes in contract.error_codes(contract.load(), operation).values()
    for code in codes
}


@dataclass
class Ground:
    """An app in process, its world, and an app in it that runs."""

    app: App
    settings: Settings
    world: World
    app_id: str
    asking_id: str
    monkeypatch: pytest.MonkeyPatch

    def __call__(
        self, method: str, path: str, token: str | None = "", app: App | None = None, **options: Any
    ) -> httpx.Response:
        """One request, as the owner unless told otherwise; ``None`` sends no token."""
        headers = options.pop("headers", {})
        if token is not None:
            headers = {"Authorization": f"Bearer {token or self.world.owner_token}", **headers}

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app or self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, BASE + path, headers=headers, **options)

        return asyncio.run(call())

    def run(self, app_id: str = "", token: str = "", **options: Any) -> httpx.Response:
        """Run the quick app, or another."""
        body = options.pop("json", {"inputs": {}})
        return self("POST", f"/apps/{app_id or self.app_id}/run", token, json=body, **options)

    def upload(self, *files: Any, **options: Any) -> httpx.Response:
        """Send files to the quick app."""
        parts = [("file", one) for one in files] or None
        return self("POST", f"/apps/{self.app_id}/files/upload", files=parts, **options)

    def raw(self, part: str) -> httpx.Response:
        """Send one part of a form as it is written."""
        body = f"--b\r\n{part}\r\n\r\nx\r\n--b--\r\n"
        return self("POST", f"/apps/{self.app_id}/files/upload", content=body, headers=FORM)

    def code(self, **more: str) -> dict[str, Any]:
        """A device that asks for a code."""
        body = {"client_id": "difyctl", "device_label": "ledger", **more}
        return dict(self("POST", "/oauth/device/code", None, json=body).json())

    def poll(self, device_code: str, **more: str) -> httpx.Response:
        """A device that asks for its token."""
        body = {"client_id": "difyctl", "device_code": device_code, **more}
        return self("POST", "/oauth/device/token", None, json=body)

    def page(self, path: str, body: dict[str, str], origin: str = ORIGIN) -> httpx.Response:
        """A page of a person who has signed in."""
        cookie = f"difyspec_session={store.cookies.open(self.world.owner.id)}"
        return self("POST", path, None, json=body, headers={"Cookie": cookie, "Origin": origin})

    def form(self, answer: dict[str, Any], *, times: int = 1, later: timedelta = timedelta()) -> httpx.Response:
        """Ask, and answer ``times`` times, the last time ``later``."""
        token = self.run(self.asking_id).text.partition('"form_token":"')[2].partition('"')[0]
        path = f"/apps/{self.asking_id}/form/human_input/{token}"
        for _ in range(times - 1):
            self("POST", path, json=answer)
        with self.monkeypatch.context() as patch:
            patch.setattr(store.clock._Installed, "clock", _Ahead(later))
            return self("POST", path, json=answer)


class _Ahead(Clock):
    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> Any:
        return super().now() + self._by


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Settings, World, str, str]]:
    settings = settings_in(
        tmp_path_factory.mktemp("codes"),
        rate_limits=False,
        upload_file_size_limit=1,
        upload_file_extension_blacklist="exe",
        max_body_bytes=4096,
    )
    with resources(settings):
        world = build()
        made = [
            make_app(world.home.id, world.owner.id, name, definition_of=definition)
            for name, definition in (("Quick", QUICK), ("Asking", review()))
        ]
        yield create_app(settings, with_pages=False), settings, world, made[0].id, made[1].id


@pytest.fixture
def ground(served: tuple[App, Settings, World, str, str], monkeypatch: pytest.MonkeyPatch) -> Ground:
    return Ground(*served, monkeypatch)


def limited(ground: Ground) -> httpx.Response:
    """A second server over the same store, which takes one request a minute of a token."""
    settings = ground.settings.model_copy(update={"rate_limits": True, "rate_limit_per_token": 1})
    app = create_app(settings, with_pages=False)
    ground("GET", "/account", app=app)
    return ground("GET", "/account", app=app)


def broken(ground: Ground) -> httpx.Response:
    """A handler whose work fails."""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the cause")

    ground.monkeypatch.setattr(store.workspaces, "of", fail)
    return ground("GET", "/account")


def closing(ground: Ground) -> httpx.Response:
    """A run while the server ends."""
    ground.monkeypatch.setattr(runs.machine(), "closed", True)
    return ground.run()


def scoped(ground: Ground) -> httpx.Response:
    """A token that may read apps only."""
    ground.monkeypatch.setattr(store.sessions, "ACCOUNT_SCOPES", frozenset({"apps:read"}))
    return ground.run(token=mint_for(ground.world.owner, "scoped"))


def denied(ground: Ground) -> httpx.Response:
    """A device whose person says no."""
    started = ground.code()
    store.device.deny(started["user_code"], ground.world.owner.id)
    return ground.poll(started["device_code"])


def twice(ground: Ground) -> httpx.Response:
    """A poll, and another at once."""
    started = ground.code()
    ground.poll(started["device_code"])
    return ground.poll(started["device_code"])


def approved_twice(ground: Ground) -> httpx.Response:
    """A code that was approved."""
    started = ground.code()
    store.device.approve(started["user_code"], ground.world.owner.id)
    return ground.page("/oauth/device/approve", {"user_code": started["user_code"]})


def switched_off(ground: Ground) -> httpx.Response:
    """An app without API access."""
    app = make_app(ground.world.home.id, ground.world.owner.id, "Off", enable_api=False)
    return ground("GET", f"/apps/{app.id}/describe")


def private(ground: Ground) -> httpx.Response:
    """An app of a colleague that is open to nobody else."""
    app = make_app(ground.world.home.id, ground.world.owner.id, f"Private {uuid.uuid4()}", access_mode="private")
    return ground.run(app.id, token=mint_for(ground.world.members["normal"]))


def unpublished(ground: Ground) -> httpx.Response:
    """An app that was never published."""
    made = store.apps.create(
        ground.world.home.id, ground.world.owner.id, name="New", mode="workflow", definition=QUICK, source="-"
    )
    return ground.run(made.id)


def reused(ground: Ground) -> httpx.Response:
    """A key that began another run."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    ground.run(headers=key)
    return ground.run(headers=key, json={"inputs": {"other": "body"}})


def odd(ground: Ground, path: str, method: str = "POST") -> httpx.Response:
    """An app of a mode that nothing runs."""
    app = make_app(ground.world.home.id, ground.world.owner.id, f"Odd {uuid.uuid4()}", mode="channel")
    return ground(method, f"/apps/{app.id}{path}", **({"json": {"inputs": {}}} if method == "POST" else {}))


FINE = {"action": "approve", "inputs": {"comment": "fine"}}
NOTE = ("note.txt", b"x", "text/plain")
WAYS: dict[str, Callable[[Ground], httpx.Response]] = {
    "access_denied": denied,
    "access_mode_denied": private,
    "already_resolved": approved_twice,
    "app_unavailable": unpublished,
    "authorization_pending": lambda g: g.poll(g.code()["device_code"]),
    "bad_request": lambda g: g("GET", "/apps?name=%ff"),
    "csrf_failed": lambda g: g.page("/oauth/device/deny", {"user_code": "BCDF-GHJK"}, "https://evil.example"),
    "expired_token": lambda g: g.poll("dc_" + "A" * 43),
    "file_extension_blocked": lambda g: g.upload(("a.exe", b"x", "application/x-thing")),
    "file_too_large": lambda g: g.upload(("a.txt", b"x" * 1_100_000, "text/plain")),
    "filename_not_exists": lambda g: g.raw('Content-Disposition: form-data; name="file"; filename=""'),
    "human_input_form_expired": lambda g: g.form(FINE, later=timedelta(hours=2)),
    "human_input_form_submitted": lambda g: g.form(FINE, times=2),
    "idempotency_conflict": reused,
    "insufficient_scope": scoped,
    "internal_server_error": broken,
    "invalid_client": lambda g: g("POST", "/oauth/device/code", None, json={"client_id": "x", "device_label": "x"}),
    "invalid_form_data": lambda g: g.form({**FINE, "action": "dance"}),
    "invalid_grant": lambda g: g.poll(g.code()["device_code"], client_id="difyspec"),
    "invalid_param": lambda g: g.run(json={"inputs": 5}),
    "invalid_request": lambda g: g("POST", "/oauth/device/token", None, json={"client_id": "difyctl"}),
    "invalid_token": lambda g: g("GET", "/account", "dfoa_" + "A" * 43),
    "malformed_json": lambda g: g(
        "POST", f"/apps/{g.app_id}/run", content="{", headers={"Content-Type": "application/json"}
    ),
    "no_file_uploaded": lambda g: g.upload(headers=FORM, content="--b--"),
    "not_found": lambda g: g("GET", f"/apps/{uuid.uuid4()}/describe"),
    "not_runnable": lambda g: odd(g, "/run"),
    "request_entity_too_large": lambda g: g.run(json={"inputs": {"text": "x" * 5000}}),
    "run_not_streamable": lambda g: odd(g, f"/tasks/{uuid.uuid4()}/events", "GET"),
    "service_api_disabled": switched_off,
    "service_unavailable": closing,
    "slow_down": twice,
    "too_many_files": lambda g: g.upload(NOTE, NOTE),
    "too_many_requests": limited,
    "unauthorized": lambda g: g("GET", "/account", None),
    "unsupported_file_type": lambda g: g.upload(("a.pdf", b"\x89PNG\r\n\x1a\n", "application/pdf")),
    "unsupported_grant_type": lambda g: g.poll(g.code()["device_code"], grant_type="password"),
    "unsupported_media_type": lambda g: g.run(content="x", json=None, headers={"Content-Type": "text/plain"}),
    "unsupported_token_type": lambda g: g("GET", "/workspaces", g.world.external_token),
}  # fmt: skip


def test_there_is_a_way_to_each_code_that_the_contract_declares() -> None:
    assert set(WAYS) == DECLARED


@pytest.mark.parametrize("code", WAYS)
def test_a_code_is_answered_as_it_is_declared(ground: Ground, code: str) -> None:
    answer = fair(WAYS[code](ground))
    body = answer.json()
    assert (body.get("error") or body["code"]) == code, body
