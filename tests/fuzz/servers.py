"""The three servers under test: the compiled app and the stock one in process, and the command line over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from schemathesis.python import asgi

import store
from bench.measure import free_port
from server.app import App
from server.lifespan import resources
from server.settings import Settings, load
from tests.fuzz.ground import BASE, Ground, lay
from tests.fuzz.target import Door
from tests.waiting import HANG, until

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def in_process(create: Callable[[Settings], App], door: Door, folder: Path) -> Iterator[Ground]:
    """An app made by ``create_app`` or ``create_stock_app``, called without a socket, behind ``door``."""
    origin = f"http://{asgi.HOST}"
    settings = load(
        _env_file=None,
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'fuzz.db'}",
        redis_url=None,
        public_url=origin,
        rate_limits=False,
        access_log=False,
        log_level="error",
    )
    app = create(settings)
    door.app = app
    with resources(settings), asgi.get_client(door) as session:
        yield lay(origin, session, {"base_url": origin + BASE})
    app.parts.threads.close()


@contextmanager
def over_http(folder: Path) -> Iterator[Ground]:
    """``difyspec serve`` in a process of its own; this process shares its database."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    url = f"sqlite:///{folder / 'fuzz.db'}"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DIFYSPEC_DATA_DIR": str(folder),
        "DIFYSPEC_PORT": str(port),
        "DIFYSPEC_PUBLIC_URL": origin,
        "DIFYSPEC_RATE_LIMITS": "false",
        "DIFYSPEC_ACCESS_LOG": "false",
    }
    environment.pop("REDIS_URL", None)
    store.open(url)
    log = folder / "server.log"
    with log.open("w") as file, requests.Session() as session:
        command = [sys.executable, "-c", "from server.cli import main; main()", "serve"]
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        try:
            _wait(origin, process, log)
            yield lay(origin, session, {"session": session, "base_url": origin + BASE})
            assert process.poll() is None, log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(HANG)
            store.close()


def _wait(origin: str, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(requests.ConnectionError):
            return requests.get(f"{origin}{BASE}/_health", timeout=HANG).ok
        return False

    until(answers, "an answer of the server")
