"""What was imported harms no later reader: describe, the app's page, export and a run answer whatever a stranger wrote.

The same examples in each run of the quick suite; ``DIFYSPEC_FUZZ_EXAMPLES`` asks for more, drawn anew.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import store.apps
import store.cookies
from engine.definition.reading import DefinitionError, load
from engine.running.execute import INTERNAL
from server.app import App, create_app
from server.commands.apps import import_one
from server.commands.models import answered_by
from server.commands.needs import missing
from server.lifespan import resources
from tests.engine.damage import damaged, written
from tests.judge import wrong_with
from tests.server.conftest import ORIGIN, settings_in
from tests.world import World, build

MORE = int(os.environ.get("DIFYSPEC_FUZZ_EXAMPLES", "0"))
KEY = "k" * 32
INPUTS = [{}, {"a": "x", "b": "1", "c": 2, "d": {"k": 1}, "f": False}]


class Site(NamedTuple):
    """A server with its pages, in process."""

    app: App
    world: World
    file: Path
    cookie: str

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, as the owner of everything."""
        headers = {"Cookie": f"difyspec_session={self.cookie}"}
        if path.startswith("/openapi"):
            headers = {"Authorization": f"Bearer {self.world.owner_token}"}

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(call())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("strange")
    chosen = settings_in(
        folder, rate_limits=False, secret_key=KEY, max_execution_seconds=5, max_execution_steps=40, code_seconds=1
    )
    with resources(chosen):
        world = build()
        cookie = store.cookies.open(world.owner.id)
        yield Site(create_app(chosen), world, folder / "app.yml", cookie)


@settings(
    max_examples=MORE or 30, derandomize=not MORE, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(value=damaged(), inputs=st.sampled_from(INPUTS), as_yaml=st.booleans())
def test_whatever_was_imported_is_described_drawn_exported_and_run(
    site: Site, value: Any, inputs: dict[str, Any], as_yaml: bool
) -> None:
    text = written(value, as_yaml)
    try:
        loaded = load(text)
    except DefinitionError:
        return
    site.file.write_text(text, encoding="utf-8")
    app = import_one(site.world.home.id, site.world.owner.id, site.file, loaded, [], True, KEY)
    missing(app.id, loaded.document), answered_by(settings_in(site.file.parent).model_table(), loaded.document)
    exported = store.apps.draft(app.id)
    assert exported is not None
    load(exported.source)

    described = site("GET", f"/openapi/v1/apps/{app.id}/describe")
    assert described.status_code == 200, described.text
    shown = site("GET", f"/apps/{app.id}")
    assert shown.status_code == 200, shown.text

    body = {"inputs": inputs} if app.mode == "workflow" else {"inputs": inputs, "query": "hello"}
    ran = site("POST", f"/openapi/v1/apps/{app.id}/run", json=body)
    assert ran.status_code in (200, 400, 422), ran.text
    if ran.status_code == 200:
        events = [json.loads(line[6:]) for line in ran.text.splitlines() if line.startswith("data: ")]
        assert events
        assert INTERNAL not in ran.text
        assert [problem for event in events if event.get("event") != "ping" for problem in wrong_with(event)] == []
