"""PostgreSQL and Redis as they are, and servers that share them.

``DIFYSPEC_TEST_DATABASE`` and ``REDIS_URL`` say where they are. One that cannot be reached skips its tests and says
so; with ``DIFYSPEC_REQUIRE_SERVICES=1`` it fails them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import psycopg2  # type: ignore[import-untyped]
import pytest
import redis

from bench.measure import free_port
from tests import databases
from tests.waiting import HANG, until

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = os.environ.get("DIFYSPEC_TEST_DATABASE") or "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/15"


def missing(what: str, error: Exception) -> NoReturn:
    """Skip the test, or fail it, for want of a service."""
    told = f"{what} cannot be reached: {error}".strip()
    if os.environ.get("DIFYSPEC_REQUIRE_SERVICES") == "1":
        pytest.fail(told)
    pytest.skip(told)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The URL of a Redis database without counters of ours, before and after; other keys are left alone."""
    client = redis.Redis.from_url(REDIS)
    try:
        client.ping()
    except redis.RedisError as error:
        missing("Redis", error)
    _clear(client)
    yield REDIS
    _clear(client)
    client.close()


def _clear(client: redis.Redis) -> None:
    for key in client.scan_iter("difyspec:*"):
        client.delete(key)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL database of our own, dropped afterwards."""
    try:
        url = databases.create_postgres(POSTGRES)
    except psycopg2.Error as error:
        missing("PostgreSQL", error)
    yield url
    databases.drop_postgres(POSTGRES)


@dataclass(frozen=True)
class Server:
    """A running server process."""

    base: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def api(self) -> str:
        return self.base + "/openapi/v1"


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `difyspec serve` with the given settings (environment variables) on a free port."""
    running: list[Server] = []

    def start(**settings: str) -> Server:
        port, log = free_port(), tmp_path / f"server-{len(running)}.log"
        base = f"http://127.0.0.1:{port}"
        own = {
            "DIFYSPEC_DATA_DIR": str(tmp_path), "DIFYSPEC_PORT": str(port), "DIFYSPEC_PUBLIC_URL": base,
            "DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}", "DIFYSPEC_SECRET_KEY": "a-secret-for-tests-only",
        }  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", "from server.cli import main; main()", "serve"],
                env={**inherited, **own, **settings},
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        running.append(Server(base, process, log))
        _wait(running[-1])
        return running[-1]

    yield start
    for server in running:
        server.process.send_signal(signal.SIGTERM)
    for server in running:
        server.process.wait(HANG)


def _wait(server: Server) -> None:
    def answers() -> bool:
        assert server.process.poll() is None, server.log.read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(server.api + "/_health").is_success
        return False

    until(answers, "an answer of the server")
