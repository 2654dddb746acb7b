"""A store in a fresh file, an account with a workspace, and short ways to make and run apps."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import store
from engine import runs
from engine.config import EngineConfig
from engine.files.config import FileConfig
from store import accounts, app_changes, apps, sessions, workspaces
from store import runs as rows
from store.caller import Caller
from tests import databases
from tests.judge import wrong_with
from tests.waiting import HANG, until

_names = itertools.count(1)


@dataclass
class Bench:
    """One account in one workspace, with apps of its own."""

    caller: Caller
    workspace_id: str
    made: dict[str, Any] = field(default_factory=dict)

    def app(self, definition: dict[str, Any], *, publish: bool = True) -> Any:
        """Store an app; published unless told otherwise."""
        app = app_changes.create(
            self.workspace_id,
            self.caller.account_id,
            name=f"App {next(_names)}",
            mode=definition["mode"],
            definition=definition,
            source="-",
        )
        if publish:
            app_changes.publish(app.id)
        return apps.for_operator_get(app.id)

    def start(self, app: Any, inputs: dict[str, Any] | None = None, **body: Any) -> rows.Run:
        """Start a run; a chat without a query is asked "hello big world"."""
        if app.mode == "advanced-chat":
            body.setdefault("query", "hello big world")
        return runs.start(app, apps.version(app.id, None), self.caller, {"inputs": inputs or {}, **body})

    def events(self, run: rows.Run, after: int | None = 0, *, snapshot: bool = False) -> list[dict[str, Any]]:
        """Follow a run to its end."""
        return [payload for _, payload in self.numbered(run, after, snapshot=snapshot)]

    def numbered(
        self, run: rows.Run, after: int | None = 0, *, snapshot: bool = False
    ) -> list[tuple[int, dict[str, Any]]]:
        """Follow a run to its end, with the numbers; each event fits its schema in the contract."""

        async def collect() -> list[tuple[int, dict[str, Any]]]:
            async with asyncio.timeout(HANG):
                source = runs.follow(run.id, after=after, snapshot=snapshot)
                return [(seq, json.loads(payload)) async for seq, payload in source]

        found = asyncio.run(collect())
        assert [problem for _, event in found for problem in wrong_with(event)] == [], "against the contract"
        return found

    def run(
        self, definition: dict[str, Any], inputs: dict[str, Any] | None = None, **body: Any
    ) -> list[dict[str, Any]]:
        """Store an app, run it once, return its events."""
        return self.events(self.start(self.app(definition), inputs, **body))

    def stored(self, run: rows.Run) -> rows.Run:
        """The run's row as it is now."""
        found = rows.for_worker(run.id)
        assert found is not None
        return found


def make_caller(email: str, name: str) -> Caller:
    """Make an account with a session."""
    account = accounts.create(email, name)
    token, _ = sessions.mint(
        account_id=account.id,
        email=email,
        issuer=None,
        client_id="test",
        device_label="t",
        ttl=timedelta(days=1),
    )
    caller = sessions.resolve(token)
    assert caller is not None
    return caller


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[str]:
    """A store in a new SQLite file; the value is its URL."""
    url = databases.fresh_sqlite(tmp_path, "state.db")
    store.open(url)
    yield url
    store.close()


@pytest.fixture
def configure(open_store: str, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Configure the engine, with settings that differ from the defaults as keyword arguments."""

    def apply(**changes: Any) -> None:
        files = FileConfig(folder=tmp_path / "files")
        runs.configure(replace(EngineConfig(ping_seconds=0.2, files=files), **changes))

    apply()
    yield apply
    runs.shutdown()


@pytest.fixture
def bench(configure: Callable[..., None]) -> Bench:
    """An account whose apps run on a fresh engine."""
    caller = make_caller("ada@mail.example", "Ada")
    workspace = workspaces.create("Main", caller.account_id or "")
    return Bench(caller, workspace.id)


@pytest.fixture
def soon() -> Callable[[Callable[[], Any]], Any]:
    """Wait until a condition holds."""
    return until


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, str]]]:
    """Every prompt the model is given, as (role, text) pairs."""
    from engine.models.echo import EchoModel

    seen: list[list[tuple[str, str]]] = []
    real = EchoModel.chunks

    def chunks(self: Any, messages: Any, *args: Any, **options: Any) -> Any:
        seen.append([(message.role.value, message.get_text_content()) for message in messages])
        return real(self, messages, *args, **options)

    monkeypatch.setattr(EchoModel, "chunks", chunks)
    return seen
