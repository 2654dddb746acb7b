"""``python -m bench.stream``: first event, events a second, and what idle streams cost, beside raw Starlette.

A run here goes through the engine, the event log and the database before its frames leave; the peer only sends
frames. The ratio says what all that costs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import world
from bench.measure import memory_kib, server


@dataclass
class Stream:
    """One stream, read to its end: seconds to the first event, events a second."""

    first: float
    rate: float


async def read(client: httpx.AsyncClient, method: str, url: str, **request: Any) -> Stream:
    """Read a stream to its end and measure."""
    begun, first, count = time.perf_counter(), 0.0, 0
    async with client.stream(method, url, **request) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                count += 1
                first = first or time.perf_counter() - begun
    return Stream(first, count / (time.perf_counter() - begun))


async def idle(base: str, pid: int, method: str, path: str, count: int, **request: Any) -> tuple[float, float]:
    """Hold ``count`` streams open: KiB each, and the median seconds of a ``_health`` meanwhile."""
    limits = httpx.Limits(max_connections=count + 10)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        before, opened = memory_kib(pid), asyncio.Semaphore(0)

        async def hold() -> None:
            async with client.stream(method, base + path, **request) as response:
                response.raise_for_status()
                opened.release()
                async for _ in response.aiter_bytes():
                    pass

        tasks = [asyncio.create_task(hold()) for _ in range(count)]
        for _ in range(count):
            await asyncio.wait_for(opened.acquire(), 60)
        each = (memory_kib(pid) - before) / count
        pings = []
        for _ in range(50):
            begun = time.perf_counter()
            await client.get(base + "/openapi/v1/_health")
            pings.append(time.perf_counter() - begun)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return each, statistics.median(pings)


async def measure(
    ours: tuple[str, int], peer: tuple[str, int], made: world.World, rounds: int, words: int, held: int
) -> None:
    """Print the table."""
    bearer = {"Authorization": f"Bearer {made.token}"}
    run = f"{ours[0]}/openapi/v1/apps/{made.chatflow_id}/run"
    body = {"inputs": {}, "query": " ".join(f"w{number}" for number in range(words))}
    mine, theirs = [], []
    async with httpx.AsyncClient(timeout=60) as client:
        await read(client, "POST", run, json={"inputs": {}, "query": "warm"}, headers=bearer)
        for _ in range(rounds):
            mine.append(await read(client, "POST", run, json=body, headers=bearer))
            theirs.append(await read(client, "GET", f"{peer[0]}/stream?count={words}"))

    def median(of: list[Stream], name: str) -> float:
        return statistics.median(getattr(one, name) for one in of)

    print(f"{'':24}{'difyspec':>14}{'starlette':>14}")
    print(f"{'first event, ms':24}{median(mine, 'first') * 1e3:14.1f}{median(theirs, 'first') * 1e3:14.1f}")
    print(f"{'events a second':24}{median(mine, 'rate'):14.0f}{median(theirs, 'rate'):14.0f}")
    slow = {"inputs": {}, "query": "hold"}
    task = await slow_task(ours[0], made, bearer, slow)
    path = f"/openapi/v1/apps/{made.slow_id}/tasks/{task}/events"
    each, ping = await idle(*ours, "GET", path, held, headers=bearer)
    each_peer, ping_peer = await idle(*peer, "GET", "/stream", held)
    print(f"{f'{held} idle, KiB each':24}{each:14.1f}{each_peer:14.1f}")
    print(f"{'_health meanwhile, ms':24}{ping * 1e3:14.1f}{ping_peer * 1e3:14.1f}")


async def slow_task(base: str, made: world.World, bearer: dict[str, str], body: Mapping[str, object]) -> str:
    """Start a run whose model waits, and leave; answers its task id."""
    import orjson

    async with (
        httpx.AsyncClient(timeout=60) as client,
        client.stream("POST", f"{base}/openapi/v1/apps/{made.slow_id}/run", json=body, headers=bearer) as response,
    ):
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                return str(orjson.loads(line[5:])["task_id"])
    raise RuntimeError("the run said nothing")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter streams: does it run at all")
    quick = parser.parse_args().quick
    rounds, words, held = (2, 200, 50) if quick else (7, 2000, 1000)
    with tempfile.TemporaryDirectory() as folder:
        made = world.build(Path(folder), 10)
        env = {"BENCH_DATABASE": str(made.database)}
        with server("bench.ours", env) as ours, server("bench.peer_stream", {}) as peer:
            asyncio.run(measure(ours, peer, made, rounds, words, held))


if __name__ == "__main__":
    main()
