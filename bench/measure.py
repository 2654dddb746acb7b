"""Measuring fairly on a busy machine: servers in processes of their own, rounds interleaved, CPU read from /proc."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Time on a processor of a process and its children so far, threads that have ended included.

    From the process's own clock (``clock_getcpuclockid``, in nanoseconds): the ticks of ``/proc/PID/stat`` are
    10 ms, longer than a burst of cheap requests.
    """
    children = "".join(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return time.clock_gettime((~pid << 3) | 2) + sum(cpu_seconds(int(child)) for child in children)


def memory_kib(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def thread_count(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@contextmanager
def server(module: str, env: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Run ``python -m module PORT`` and wait for its first answer; yields base address and process id."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(port)],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(base + "/openapi/v1/_health", timeout=2)
                break
            except httpx.HTTPError:
                if process.poll() is not None:
                    raise RuntimeError(f"{module} ended with {process.returncode}") from None
                time.sleep(0.05)
        yield base, process.pid
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Sample:
    """One round of one server: CPU in microseconds a request, requests a second, latencies in seconds."""

    cpu: float
    rate: float
    latencies: list[float] = field(default_factory=list)


def burst(base: str, pid: int, request: Callable[[httpx.Client, str], httpx.Response], count: int) -> Sample:
    """Send ``count`` requests over one connection and measure; any answer but 2xx ends the benchmark."""
    latencies = []
    with httpx.Client(timeout=10) as client:
        request(client, base)
        cpu, start = cpu_seconds(pid), time.perf_counter()
        for _ in range(count):
            begun = time.perf_counter()
            answer = request(client, base)
            latencies.append(time.perf_counter() - begun)
            if not answer.is_success:
                raise RuntimeError(f"{base}: {answer.status_code} {answer.text[:200]}")
        wall = time.perf_counter() - start
        spent = cpu_seconds(pid) - cpu
    return Sample(spent / count * 1e6, count / wall, latencies)


def ratio(ours: list[Sample], peer: list[Sample]) -> float:
    """Median over rounds of our CPU to the peer's in the same round."""
    return statistics.median(a.cpu / b.cpu if b.cpu else float("nan") for a, b in zip(ours, peer, strict=True))
