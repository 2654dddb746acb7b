"""Servers of a test's own: real processes over one database, to be killed, ended and started again."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg2  # type: ignore[import-untyped]

import store
from bench.measure import free_port
from store import accounts, app_changes, leases, sessions, workspaces
from store import runs as rows
from store.runs import Run
from tests.journeys.conftest import PASSWORD, ROOT, Live, Person
from tests.journeys.events import Event, attach, read
from tests.services.conftest import POSTGRES, missing
from tests.waiting import HANG, until

_names = itertools.count(1)


class Server:
    """One address; its process may come and go."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.api = self.base + "/openapi/v1"
        self.log = folder / f"server-{port}.log"
        own = {"DIFYSPEC_DATA_DIR": str(folder), "DIFYSPEC_PORT": str(port), "DIFYSPEC_PUBLIC_URL": self.base}
        inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        self.environment = {**inherited, **own, "DIFYSPEC_RATE_LIMITS": "false", **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self, command: str, **settings: str) -> None:
        """Start the process with a command of `difyspec`."""
        words = [sys.executable, "-c", "from server.cli import main; main()", command]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(words, env=self.environment | settings, cwd=ROOT, stdout=out, stderr=out)

    def start(self, **settings: str) -> None:
        """Start the process as a server and wait until it answers."""
        self.begin("serve", **settings)
        assert self.process is not None
        until(self._answers, "an answer of the server")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(self.api + "/_health").is_success
        return False

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the process with a signal and wait for its end."""
        if self.process is not None and self.process.poll() is None:
            self.send(number)
            self.process.wait(HANG)


class Site:
    """A database with one person, and the servers on it. ``settings`` are environment variables of each."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.folder, self.url = folder, database_url
        self._settings = {"DATABASE_URL": database_url, "DIFYSPEC_SWEEP_SECONDS": "0.5", **settings}
        self.servers: list[Server] = []
        with self.open():
            account = accounts.create("ada@example.com", "Ada", PASSWORD)
            workspace = workspaces.create("Home", account.id)
            token, _ = sessions.mint(
                account_id=account.id,
                email=account.email,
                issuer=None,
                client_id="difyspec",
                device_label="test",
                ttl=timedelta(days=1),
            )
        self.ada = Person(account.email, account.id, workspace.id, token)

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """The store, open in the test's own process."""
        store.open(self.url)
        try:
            yield
        finally:
            store.close()

    def add(self, definition: dict[str, Any]) -> str:
        """Store and publish an app; its id."""
        with self.open():
            app = app_changes.create(
                self.ada.workspace_id,
                self.ada.account_id,
                name=f"App {next(_names)}",
                mode=definition["mode"],
                definition=definition,
                source="-",
            )
            app_changes.publish(app.id)
        return str(app.id)

    def at_work(self, app_id: str) -> list[Run]:
        """The queued and running runs of an app that a server holds, oldest first."""
        with self.open():
            held = [run for worker in leases.workers() - {""} for run in leases.held(worker)]
            found = [run for run in map(rows.begun, held) if run.app_id == app_id]
        return sorted(found, key=lambda run: run.created_at)

    def server(self, **settings: str) -> Server:
        """One more server on the database, not started."""
        self.servers.append(Server(self.folder, self._settings | settings))
        return self.servers[-1]

    def live(self, server: Server) -> Live:
        """The site as the helpers of the journeys see it."""
        return Live(server.base, server.api, self.ada, self.ada, {}, server.environment, pid=0)

    def attach(self, server: Server, app_id: str, task_id: str, last: str | None, **query: str) -> list[Event]:
        """Follow a run after an event to its end, as a client does whose stream may be cut: it comes again."""
        found: list[Event] = []

        def ended() -> bool:
            found.extend(attach(self.live(server), self.ada, app_id, task_id, found[-1].id if found else last, **query))
            return bool(found) and is_last(found[-1])

        until(ended, "the end of the run")
        return found

    def whole(self, server: Server, app_id: str, head: list[Event]) -> list[Event]:
        """All events of a run whose first ones were seen."""
        if is_last(head[-1]):
            return head
        return head + self.attach(server, app_id, head[0].data["task_id"], head[-1].id)

    @contextlib.contextmanager
    def stream(self, server: Server, app_id: str, body: dict[str, Any]) -> Iterator[httpx.Response]:
        """The answer of a run that was started."""
        url = f"{server.api}/apps/{app_id}/run"
        with httpx.stream("POST", url, json=body, headers=self.ada.headers) as response:
            if response.status_code != 200:
                raise AssertionError(response.read())
            yield response

    def head(self, server: Server, app_id: str, body: dict[str, Any], count: int) -> list[Event]:
        """Start a run and read its first events; the connection is then dropped, the run goes on."""
        with self.stream(server, app_id, body) as response:
            return read(response, count)

    @staticmethod
    def wait_for(condition: Callable[[], Any]) -> Any:
        """Wait until something is there; out: what it is."""
        return until(condition)

    def close(self) -> None:
        """End all processes."""
        for server in self.servers:
            server.end()


_databases = itertools.count(1)


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, ``sqlite`` or ``postgresql``; gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'site.db'}"
        return
    name = f"difyspec_site_{os.getpid()}_{next(_databases)}"
    try:
        connection = psycopg2.connect(POSTGRES)
    except psycopg2.Error as error:
        missing("PostgreSQL", error)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


ENDINGS = {"workflow_finished", "workflow_paused", "error"}


def is_last(event: Event) -> bool:
    """Whether nothing follows an event; of a flow's ``message_end``, which has a list of files, something does."""
    name = event.data["event"]
    return name in ENDINGS or (name == "message_end" and event.data["files"] is None)
