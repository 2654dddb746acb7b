"""A caller that has as many runs as one may have is told so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

import store.apps
from engine import runs
from server.app import create_app
from server.lifespan import resources
from server.settings import load
from tests.judge import BASE, fair
from tests.server.conftest import ORIGIN, settings_in
from tests.server.test_code_ledger import QUICK
from tests.world import build, make_app


@pytest.mark.parametrize(
    ("bound", "message", "hint"),
    [
        (
            "max_runs_per_subject",
            "You have 2 runs queued or at work, which is as many as one caller may have.",
            "Wait until one has ended, or stop one.",
        ),
        (
            "max_runs_per_app",
            "This app has 2 runs at work, which is as many as it may have; wait until one has ended.",
            None,
        ),
    ],
)
def test_one_run_too_many_is_answered_429_with_what_to_do(
    tmp_path: Path, bound: str, message: str, hint: str | None
) -> None:
    settings = settings_in(tmp_path, rate_limits=False, max_concurrent_runs=0, **{bound: 2})
    with resources(settings):
        world = build()
        app = make_app(world.home.id, world.owner.id, "Quick", definition_of=QUICK)
        for _ in range(2):
            runs.start(app, store.apps.version(app.id, None), world.owner_caller, {"inputs": {}})
        served = create_app(settings, with_pages=False)

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(served)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                headers = {"Authorization": f"Bearer {world.owner_token}"}
                return await client.post(f"{BASE}/apps/{app.id}/run", json={"inputs": {}}, headers=headers)

        answer = fair(asyncio.run(call()))
        told = answer.json()
        assert (answer.status_code, told["code"], answer.headers["Retry-After"]) == (429, "too_many_requests", "5")
        assert (told["message"], told.get("hint")) == (message, hint)


@pytest.mark.parametrize("name", ["max_runs_per_subject", "max_runs_per_app"])
def test_both_bounds_of_runs_are_on_unless_switched_off(name: str) -> None:
    assert getattr(load(_env_file=None), name) > 0
    assert getattr(load(_env_file=None, **{name: 0}), name) == 0
