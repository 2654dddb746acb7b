"""Places for open streams: bounded for each subject and in all, counted exactly, given back however a stream ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

import store.runs
from engine import runs
from server.app import App, create_app
from server.lifespan import resources
from server.streams import Streams
from store import db, sql
from tests.engine.forms import review
from tests.judge import BASE, fair
from tests.open_stream import OpenStream, opened
from tests.server.conftest import ORIGIN, settings_in
from tests.world import World, build, make_app, mint_external, mint_for


@dataclass
class Ground:
    """A server with an app whose runs wait for a person, and its layer that counts."""

    app: App
    places: Streams
    world: World
    asking: str

    async def waiting(self, token: str = "") -> str:
        """A run of the owner, or another, that waits for a person; the path of its events."""
        async with opened(self.app, "POST", self.run, token or self.world.owner_token, {"inputs": {}}) as begun:
            await begun.ended()
        return f"/apps/{self.asking}/tasks/{begun.events[0]['task_id']}/events?continue_on_pause=true"

    @property
    def run(self) -> str:
        """The path that starts one."""
        return f"/apps/{self.asking}/run"

    def reader(self, path: str, **more: Any) -> Any:
        """An open stream of the owner."""
        return opened(self.app, "GET", path, self.world.owner_token, **more)

    def stop(self, path: str) -> None:
        """Stop a run of the owner."""
        run = store.runs.visible(self.world.owner_caller, self.asking, path.split("/")[4])
        assert run is not None
        runs.stop(run)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Streams, World, str]]:
    settings = settings_in(tmp_path_factory.mktemp("streams"), rate_limits=False)
    with resources(settings):
        world = build()
        asking = make_app(world.home.id, world.owner.id, "Asking", definition_of=review(), access_mode="public")
        app = create_app(settings, with_pages=False)
        layer = app.frame
        while not isinstance(layer, Streams):
            layer = getattr(layer, "app", None) or layer.next_app
        yield app, layer, world, asking.id


@pytest.fixture
def ground(served: tuple[App, Streams, World, str], monkeypatch: pytest.MonkeyPatch) -> Ground:
    app, places, world, asking = served
    assert (places.per_subject, places.most) == (200, 2000), "as the settings say"
    monkeypatch.setattr(places, "per_subject", 0)
    monkeypatch.setattr(places, "most", 0)
    return Ground(app, places, world, asking)


async def ask(app: App, method: str, path: str, token: str, **options: Any) -> httpx.Response:
    """A whole answer, as the contract has it."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        headers = {"Authorization": f"Bearer {token}"}
        return fair(await client.request(method, BASE + path, headers=headers, **options))


@db.reads
def runs_stored() -> int:
    """How many runs there are."""
    return int(sql.row("SELECT COUNT(*) FROM runs")[0])


def test_a_subject_may_have_so_many_streams_open_and_a_run_that_is_refused_has_not_begun(ground: Ground) -> None:
    ground.places.per_subject = 2

    async def story() -> None:
        app, mine, guests = ground.app, ground.world.owner_token, ground.world.external_token
        path, theirs = await ground.waiting(), await ground.waiting(guests)
        async with ground.reader(path), ground.reader(path):
            stored = runs_stored()
            for token in (mine, mint_for(ground.world.owner, "phone")):
                for method, where, body in (("GET", path, None), ("POST", ground.run, {"inputs": {}})):
                    refused = await ask(app, method, where, token, json=body)
                    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
                    assert "2 streams open" in refused.json()["message"]
                    assert refused.headers["retry-after"] == "5"
            assert runs_stored() == stored
            async with opened(app, "GET", theirs, guests) as other:
                assert other.status == 200, "another subject has places of its own"
        async with ground.reader(path) as again:
            assert again.status == 200
        assert not ground.places.open

    asyncio.run(story())


def test_a_server_takes_so_many_streams_whoever_asks(ground: Ground) -> None:
    ground.places.most = 1

    async def story() -> None:
        path, guest = await ground.waiting(), mint_external("late@partner.example")
        async with ground.reader(path):
            refused = await ask(ground.app, "POST", ground.run, guest, json={"inputs": {}})
            assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")

    asyncio.run(story())


def test_zero_counts_no_stream_as_too_many(ground: Ground) -> None:
    async def story() -> None:
        path = await ground.waiting()
        async with AsyncExitStack() as stack:
            for _ in range(5):
                assert (await stack.enter_async_context(ground.reader(path))).status == 200
            assert ground.places.open == {ground.world.owner_caller.subject: 5}

    asyncio.run(story())


@pytest.mark.parametrize("how", ["its client leaves", "it is cancelled", "its transport breaks", "its run ends"])
def test_a_place_is_given_back_however_its_stream_ends(ground: Ground, how: str) -> None:
    ground.places.per_subject = 1

    async def story() -> None:
        path = await ground.waiting()
        async with ground.reader(path) as one:
            assert ground.places.open == {ground.world.owner_caller.subject: 1}
            if how == "its client leaves":
                one.leave()
            elif how == "it is cancelled":
                one.task.cancel()
            else:
                one.broken = how == "its transport breaks"
                await asyncio.to_thread(ground.stop, path)
            await one.ended()
            assert not ground.places.open

    asyncio.run(story())


@pytest.mark.parametrize("when", ["the run cannot be found", "the handler breaks", "the client is gone already"])
def test_a_place_is_given_back_before_the_first_byte(
    ground: Ground, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.places.per_subject = 1

    async def story() -> None:
        path = await ground.waiting()
        if when == "the run cannot be found":
            path = path.replace("/tasks/0", "/tasks/1")
        if when == "the handler breaks":
            monkeypatch.setattr(store.runs, "visible", None)
        one = OpenStream(ground.app, "GET", path, {"authorization": f"Bearer {ground.world.owner_token}"})
        one.broken = when == "the client is gone already"
        await one.ended()
        assert one.status == {"the run cannot be found": 404, "the handler breaks": 500}.get(when, 0)
        assert not ground.places.open

    asyncio.run(story())
