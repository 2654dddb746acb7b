"""A thousand streams of runs that wait: they hear of it, and cost the server next to nothing."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import store
from bench.measure import free_port, memory_kib
from store import accounts, sessions, workspaces
from tests.engine.forms import review
from tests.load.counting_server import NAMES
from tests.waiting import HANG, until, until_async
from tests.world import make_app

STREAMS, RUNS = 1000, 10
MOST_KIB = 80  # of memory for each
ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A server with default settings but for its limits on one caller, and an app that asks a person."""

    def __init__(self, folder: Path) -> None:
        self.counts = folder / "counts"
        self.counts.write_bytes(bytes(8 * len(NAMES)))
        port, database = free_port(), f"sqlite:///{folder / 'state.db'}"
        self.base = f"http://127.0.0.1:{port}/openapi/v1"
        store.open(database)
        owner = accounts.create("ada@example.com", "Ada")
        self.path = (
            f"/apps/{make_app(workspaces.create('Main', owner.id).id, owner.id, 'A', definition_of=review()).id}"
        )
        self.tokens = [
            sessions.mint(
                account_id=owner.id, email=owner.email, issuer=None, client_id="difyctl", device_label=f"{number}",
                ttl=timedelta(days=1),
            )[0]
            for number in range(RUNS)
        ]  # fmt: skip
        store.close()
        settings = {
            "DATABASE_URL": database, "DIFYSPEC_DATA_DIR": str(folder), "DIFYSPEC_PORT": str(port),
            "DIFYSPEC_RATE_LIMITS": "false", "DIFYSPEC_MAX_STREAMS_PER_SUBJECT": "0", "COUNTS": str(self.counts),
            "DIFYSPEC_MAX_CONNECTIONS_PER_ADDRESS": "0", "DIFYSPEC_LOG_LEVEL": "warning", "REDIS_URL": "",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.load.counting_server", "serve"]
        self.process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings})
        until(self._answers, "the server answers", self.process)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.base}/_health").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def descriptors(self) -> int:
        """How many the server has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def memory(self) -> int:
        """KiB that the server takes."""
        return memory_kib(self.process.pid)

    def counted(self) -> dict[str, int]:
        """What was counted so far, by name."""
        return dict(zip(NAMES, struct.unpack(f"{len(NAMES)}q", self.counts.read_bytes()), strict=True))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2 * STREAMS + 1000, hard)), hard))
    made = Server(tmp_path)
    yield made
    made.process.send_signal(signal.SIGTERM)
    assert made.process.wait(HANG) == 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Readers:
    """Clients that read and do nothing else."""

    def __init__(self, client: httpx.AsyncClient, server: Server, tasks: list[str], count: int) -> None:
        self.pings = [0] * count
        self.open = 0
        places = [(number, number % len(tasks)) for number in range(count)]
        self._reading = [
            asyncio.create_task(self._read(client, server, tasks[run], server.tokens[run], number))
            for number, run in places
        ]

    async def _read(self, client: httpx.AsyncClient, server: Server, task: str, token: str, number: int) -> None:
        url = f"{server.base}{server.path}/tasks/{task}/events?continue_on_pause=true"
        async with client.stream("GET", url, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_bytes():
                self.open += b"workflow_paused" in piece
                self.pings[number] += piece.count(b": ping\n")

    async def have(self, pings: int) -> None:
        """Wait until each of them has got so many pings."""
        await until_async(lambda: self._alive() and min(self.pings) >= pings, f"{pings} pings for everybody")

    async def are_open(self) -> None:
        """Wait until each has got what there was."""
        await until_async(lambda: self._alive() and self.open == len(self.pings), "everybody reads")

    def _alive(self) -> bool:
        assert not any(task.done() for task in self._reading), "no stream ends"
        return True

    async def close(self) -> None:
        """All leave."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)


@pytest.mark.timeout(600)
def test_a_thousand_streams_of_waiting_runs_are_kept_by_one_question_a_tick(server: Server) -> None:
    async def story() -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits, timeout=HANG) as client:
            tasks = [await waiting(client, server, token) for token in server.tokens]
            warm = Readers(client, server, tasks, 300)  # request threads are begun, and keep their connections
            await warm.are_open()
            await warm.close()
            await until_async(lambda: server.descriptors < 300, "the streams are closed")
            memory, descriptors = server.memory, server.descriptors

            readers = Readers(client, server, tasks, STREAMS)
            await readers.are_open()
            await readers.have(1)
            before = server.counted()
            await readers.have(4)
            after = server.counted()
            made = {name: after[name] - before[name] for name in NAMES}
            each = (server.memory - memory) / STREAMS

            # One statement for all runs, and one a second for what access rests on.
            assert made["looks"] > 0
            assert made["of the watch"] <= 2 * made["looks"] + 2, made
            assert made["of others"] == 0, made
            assert each < MOST_KIB, f"{each:.1f} KiB a stream"
            await readers.close()
            await until_async(lambda: server.descriptors <= descriptors + 10, "no descriptor is left open")

    asyncio.run(story())


async def waiting(client: httpx.AsyncClient, server: Server, token: str) -> str:
    """A run that waits for a person; its task id."""
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await client.post(f"{server.base}{server.path}/run", json={"inputs": {}}, headers=bearer)
    events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
    assert events[-1]["event"] == "workflow_paused"
    return str(events[0]["task_id"])
