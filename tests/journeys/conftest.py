"""A real server in a process of its own, with two people and an app each, for stories over real HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from bench.measure import free_port
from tests.waiting import HANG, until

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    """Someone with an account, a workspace of their own, and a token."""

    email: str
    account_id: str
    workspace_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class Live:
    """A running server and who is on it."""

    base: str
    api: str
    ada: Person
    bob: Person
    external: dict[str, str]
    environment: dict[str, str]
    pid: int

    @property
    def database(self) -> str:
        """The file of the database."""
        return self.environment["DATABASE_URL"].removeprefix("sqlite:///")

    def import_app(self, path: Path, owner: Person) -> str:
        """Import a definition with the command line, as an operator does; answers the app's id."""
        return self.import_apps([path], owner)[0]

    def import_apps(self, paths: Sequence[Path], owner: Person) -> list[str]:
        """As ``import_app``, several in one command."""
        told = self.operator("apps", "import", *map(str, paths), "--owner", owner.email, "-o", "json")
        return [str(row["id"]) for row in json.loads(told)]

    def operator(self, *words: str) -> str:
        """Run a command, beside the server and on its database; answers what it prints.

        In this process, which has no store open: another than the server's, and starting one costs a second.
        """
        from server.cli import app

        done = CliRunner().invoke(app, list(words), env=self.environment)
        assert done.exit_code == 0, done.output
        return done.stdout


def _person(email: str) -> Person:
    import store.accounts
    import store.sessions
    import store.workspaces

    account = store.accounts.create(email, email.partition("@")[0].title(), PASSWORD)
    workspace = store.workspaces.create(f"{account.name}'s workspace", account.id)
    token, _ = store.sessions.mint(
        account_id=account.id,
        email=email,
        issuer=None,
        client_id="difyspec",
        device_label="test",
        ttl=timedelta(days=1),
    )
    return Person(email, account.id, workspace.id, token)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    import store
    import store.sessions

    folder = tmp_path_factory.mktemp("live")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{folder / 'live.db'}",
        "DIFYSPEC_DATA_DIR": str(folder),
        "DIFYSPEC_PORT": str(port),
        "DIFYSPEC_PUBLIC_URL": base,
        "DIFYSPEC_SECRET_KEY": "a-secret-key-for-tests-only-0123456789",
        "DIFYSPEC_RATE_LIMITS": "false",
    }
    store.open(environment["DATABASE_URL"])
    ada, bob = _person("ada@example.com"), _person("bob@example.com")
    guest, _ = store.sessions.mint(
        account_id=None,
        email="guest@partner.example",
        issuer="https://login.partner.example",
        client_id="difyspec",
        device_label="test",
        ttl=timedelta(days=1),
    )
    store.close()
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-c", "from server.cli import main; main()", "serve"],
        env=environment,
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait(base, process, folder / "server.log")
        yield Live(base, base + "/openapi/v1", ada, bob, {"Authorization": f"Bearer {guest}"}, environment, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(HANG)
        log.close()


def _wait(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(httpx.HTTPError):
            return httpx.get(base + "/openapi/v1/_health").is_success
        return False

    until(answers, "an answer of the server")
