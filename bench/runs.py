"""``python -m bench.runs``: what a run costs through HTTP, its events included, beside the bare engine.

The peer is graphon alone in this process, over the same graph: no HTTP, no store, no event log. The ratio says
what serving a run costs over carrying it out.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import orjson

from bench import run_apps
from bench.bare_engine import bare_run
from bench.measure import cpu_seconds, memory_kib, server, thread_count
from bench.reader import Reading, read
from bench.run_apps import World


async def run(base: str, made: World, app: str) -> Reading:
    """One run, read to its last event."""
    return await read(base, made.path(app), made.bearer, made.body(app))


async def small(base: str, pid: int, made: World, app: str, count: int) -> tuple[float, float, float]:
    """Runs one after another: median seconds to the first event and in all, CPU seconds of the server each."""
    for _ in range(5):
        await run(base, made, app)
    cpu = cpu_seconds(pid)
    times = [await run(base, made, app) for _ in range(count)]
    spent = (cpu_seconds(pid) - cpu) / count
    return statistics.median(one.first for one in times), statistics.median(one.whole for one in times), spent


async def crowd(base: str, pid: int, made: World, size: int) -> tuple[list[Reading], float, int]:
    """``size`` slow streams asked for in one moment: how each was read, MiB more, most threads."""
    before, threads, done = memory_kib(pid), [0], asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            threads.append(thread_count(pid))
            await asyncio.sleep(0.1)

    watcher = asyncio.create_task(watch())
    times = await asyncio.gather(*(run(base, made, "slow") for _ in range(size)))
    more = (memory_kib(pid) - before) / 1024
    done.set()
    await watcher
    return times, more, max(threads)


async def abort(client: httpx.AsyncClient, made: World) -> float:
    """Seconds from asking a waiting run to stop until its stream has ended."""
    body, headers = made.body("held"), made.bearer
    async with client.stream("POST", made.path("held"), json=body, headers=headers) as response:
        lines = response.aiter_lines()
        async for line in lines:
            if line.startswith("data:") and '"llm"' in line:
                break
        task = orjson.loads(line[5:])["task_id"]
        begun = time.perf_counter()
        stopped = await client.post(made.path("held", f"tasks/{task}/stop"), headers=headers)
        stopped.raise_for_status()
        async for _ in lines:
            pass
    return time.perf_counter() - begun


async def measure(base: str, pid: int, made: World, count: int, size: int) -> None:
    """Print the table."""
    first, whole, cpu = await small(base, pid, made, "small", count)
    _, wide, wide_cpu = await small(base, pid, made, "wide", max(5, count // 5))
    nodes = run_apps.WIDE - 1
    bare = statistics.median(bare_run(made.documents["small"]) for _ in range(count))
    print(f"small run: first event {first * 1e3:.1f} ms, whole {whole * 1e3:.1f} ms, CPU {cpu * 1e3:.1f} ms")
    print(f"small run beside the bare engine: {whole / bare:.2f} times its {bare * 1e3:.1f} ms")
    each, each_cpu = (wide - whole) / nodes, (wide_cpu - cpu) / nodes
    print(f"one more template node: {each * 1e3:.2f} ms, CPU {each_cpu * 1e3:.2f} ms")
    long = await run(base, made, "long")
    print(f"long stream: {long.events} events, {long.events / long.whole:.0f} a second")
    times, more, threads = await crowd(base, pid, made, size)
    begun, slowest = max(one.first for one in times), max(one.whole - one.first for one in times)
    ratio, all_in = (
        slowest / run_apps.SLOW_SECONDS,
        statistics.median(one.whole for one in times) / run_apps.SLOW_SECONDS,
    )
    print(f"{size} at once: all begun after {begun:.2f} s; then the slowest takes {ratio:.2f} times its ideal time")
    print(f"{size} at once: {all_in:.2f} times the ideal from the request on, {more:.0f} MiB more, {threads} threads")
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        aborts = [await abort(client, made) for _ in range(5)]
    print(f"abort: {statistics.median(aborts) * 1e3:.0f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs: does it work at all")
    quick = parser.parse_args().quick
    count, size = (10, 10) if quick else (200, 100)
    with tempfile.TemporaryDirectory() as folder:
        made = run_apps.build(Path(folder))
        with server("bench.ours", {"BENCH_DATABASE": str(made.database)}) as (base, pid):
            asyncio.run(measure(base, pid, made, count, size))


if __name__ == "__main__":
    main()
