"""Addresses whose servers take their time hold up those who named them, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.files import asking, probe
from engine.files.asking import Asking
from engine.network import lookups
from engine.network.address_guard import AddressGuard, LookupLate
from engine.network.http_client import GuardedHttpClient, RequestRefused
from engine.running.cancel import CancelToken
from server.app import create_app
from server.lifespan import resources
from store.refusal import Refusal
from tests.engine.graphs import document, edge, end, node
from tests.engine.web_server import listening
from tests.judge import BASE, fair
from tests.server.conftest import ORIGIN, settings_in
from tests.waiting import HANG
from tests.world import World, build, make_app

FILE = {"variable": "doc", "label": "doc", "type": "file", "required": True, "allowed_file_types": ["custom", "image"]}
TAKES_A_FILE = document(
    [node("start", "start", variables=[FILE | {"allowed_file_extensions": ["png"]}]), end(doc=["start", "doc"])],
    [edge("start", "end")],
)


class Slow:
    """A web server; what is asked for below ``/slow`` it answers when the gate is opened."""

    def __init__(self) -> None:
        self.gate, self.asked = threading.Event(), threading.Semaphore(0)
        slow = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                slow.asked.release()
                if self.path.startswith("/slow"):
                    slow.gate.wait(HANG)
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    # Not the clock: each answer comes when the test lets it.
    monkeypatch.setattr(probe, "SECONDS", (HANG, HANG, HANG))
    monkeypatch.setattr(asking, "SECONDS", HANG)
    made = Slow()
    with listening(made.server):
        yield made
        made.gate.set()


class Site:
    """An app in process, and who may call it."""

    def __init__(self, world: World, app_id: str, served: Any) -> None:
        self.world, self.app_id, self.served = world, app_id, served

    async def __call__(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.served)
        headers = {"Authorization": f"Bearer {token or self.world.owner_token}"}
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=HANG) as client:
            return fair(await client.request(method, BASE + path, headers=headers, **options))

    def run(self, url: str, token: str = "") -> asyncio.Task[httpx.Response]:
        """Begin to run the app with a file at this address."""
        body = {"inputs": {"doc": {"transfer_method": "remote_url", "url": url}}}
        return asyncio.create_task(self("POST", f"/apps/{self.app_id}/run", token, json=body))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = settings_in(tmp_path, rate_limits=False, request_threads=2, allow_private_addresses=True)
    with resources(settings):
        world = build()
        app = make_app(world.away.id, world.other.id, "Takes", definition_of=TAKES_A_FILE, access_mode="public")
        yield Site(world, app.id, create_app(settings, with_pages=False))


def test_requests_that_wait_for_strangers_hold_no_thread_that_others_need(site: Site, slow: Slow) -> None:
    async def story() -> None:
        with listening_already(slow) as address:
            waiting = [site.run(f"{address}/slow/{n}", site.world.other_token) for n in range(6)]
            for _ in range(2):
                await asyncio.to_thread(slow.asked.acquire, timeout=HANG)
            answer = await site("GET", f"/apps?workspace_id={site.world.home.id}")
            assert (answer.status_code, [one.done() for one in waiting]) == (200, [False] * 6)
            slow.gate.set()
            for one in waiting:
                assert '"image/png"' in (await one).text

    asyncio.run(story())


def test_who_has_too_many_addresses_asked_is_refused_and_others_are_answered(
    site: Site, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WAITING", 1)

    async def story() -> None:
        with listening_already(slow) as address:
            waiting = [site.run(f"{address}/slow/{n}", site.world.other_token) for n in range(asking.EACH)]
            for _ in range(asking.EACH):
                await asyncio.to_thread(slow.asked.acquire, timeout=HANG)
            # One more waits for its turn; which of the two it is, is theirs.
            two = [site.run(f"{address}/slow/more", site.world.other_token) for _ in range(2)]
            done, rest = await asyncio.wait(two, return_when=asyncio.FIRST_COMPLETED, timeout=HANG)
            answer = done.pop().result()
            assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
            assert answer.headers["Retry-After"] == "10"
            assert "have not answered yet" in answer.json()["message"]
            assert '"image/png"' in (await site.run(f"{address}/fast", site.world.external_token)).text
            slow.gate.set()
            for one in (*waiting, *rest):
                assert (await one).status_code == 200

    asyncio.run(story())


def test_where_nobody_can_ask_again_only_few_wait_on_their_threads(slow: Slow) -> None:
    asks = Asking(AddressGuard(allow_private=True, allowed_hosts=frozenset()))
    with listening_already(slow) as address, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(asks.ask, f"owner {n}", {f"{address}/slow"}) for n in range(4)]
        for _ in waiting:
            assert slow.asked.acquire(timeout=HANG)
        with pytest.raises(Refusal) as refused:
            asks.ask("owner", {f"{address}/slow"})
        assert refused.value.code == "service_unavailable"
        slow.gate.set()
        assert {one.result(HANG)[f"{address}/slow"].mime_type for one in waiting} == {"image/png"}
        assert asks.ask("owner", {f"{address}/slow"})


def test_what_an_address_does_not_tell_in_time_is_not_known(
    site: Site, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.01)

    async def story() -> None:
        with listening_already(slow) as address:
            answer = await site.run(f"{address}/slow/x", site.world.other_token)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_param")
            asks = Asking(AddressGuard(allow_private=True, allowed_hosts=frozenset()))
            told = await asyncio.to_thread(asks.ask, "owner", {f"{address}/slow/y"})
            assert told == {f"{address}/slow/y": probe.Told()}

    asyncio.run(story())


def test_an_address_that_nobody_waits_for_any_more_is_not_asked(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "EACH", 1)
    asks = Asking(AddressGuard(allow_private=True, allowed_hosts=frozenset()))
    with listening_already(slow) as address:
        monkeypatch.setattr(asking, "SECONDS", 0.01)
        asks.ask("owner", {f"{address}/slow/{number}" for number in range(5)})
        slow.gate.set()
        monkeypatch.setattr(asking, "SECONDS", HANG)
        assert asks.ask("owner", {f"{address}/fast"})[f"{address}/fast"] != probe.Told()
        asked = 0
        while slow.asked.acquire(blocking=False):
            asked += 1
        assert asked <= 2, "the one that was at work, and the last"


def test_a_name_that_is_looked_up_for_long_tells_nothing_and_holds_up_no_other_look_up() -> None:
    gate, begun = threading.Event(), list[str]()

    def resolver(host: str, port: int) -> list[str]:
        if host.startswith("slow"):
            begun.append(host)
            gate.wait(HANG)
        return ["192.0.2.1"]

    guard = AddressGuard(allow_private=True, allowed_hosts=frozenset(), resolver=resolver)
    try:
        # More than all callers together may look up at a time.
        for number in range(80):
            with pytest.raises(LookupLate, match=rf"'slow{number}\.example' could not be resolved in time"):
                guard.address(f"slow{number}.example", 80, 0.001, "one")
        assert guard.address("quick.example", 80, HANG, "another") == "192.0.2.1"
        assert guard.address("192.0.2.9", 80, HANG, "one"), "an address needs no turn"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(probe, "SECONDS", (0.001, 1, 1))
            assert probe.probe("http://slow.example/x", guard, "one") == probe.Told()
        gate.set()
        assert guard.address("last.example", 80, HANG, "one") == "192.0.2.1"
        assert 0 < len(begun) <= lookups._EACH, "a look-up that nobody waits for any more is not begun"
    finally:
        gate.set()


def test_a_look_up_has_the_time_of_connecting_at_most() -> None:
    class Late(AddressGuard):
        def address(self, host: str, port: int, seconds: float | None = None, owner: str = "") -> str:
            asked.append((seconds, owner))
            raise LookupLate("late")

    asked: list[tuple[float | None, str]] = []
    guard = Late(allow_private=True, allowed_hosts=frozenset())
    assert probe.probe("http://x.example/y", guard, "one") == probe.Told()
    with pytest.raises(RequestRefused, match="late"):
        GuardedHttpClient(guard, CancelToken("two"), 1).get("http://x.example", timeout=(7, 8, 9))
    assert asked == [(probe.SECONDS[0], "one"), (7, "two")]


def test_an_answer_whose_head_arrives_byte_by_byte_ends_in_time() -> None:
    class Drip(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not gone.wait(0.05):
                    self.wfile.write(b"X: y\r\n")
                    self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    gone = threading.Event()
    guard = AddressGuard(allow_private=True, allowed_hosts=frozenset())
    client = GuardedHttpClient(guard, CancelToken(), 4000)
    with listening(Drip) as address:
        try:
            with pytest.raises(RequestRefused, match="did not end in time"):
                client.get(address, timeout=(1, 1, 0.1))
        finally:
            gone.set()


@contextlib.contextmanager
def listening_already(slow: Slow) -> Iterator[str]:
    """Where it listens; its gate is opened at the end, so that a test that fails does not wait for it."""
    try:
        yield f"http://127.0.0.1:{slow.server.server_port}"
    finally:
        slow.gate.set()
