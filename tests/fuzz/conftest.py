"""The whole server in process over a throw-away database, with known ids for schemathesis to hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Ground:
    """What exists: enough for every operation to succeed."""

    app_id: str
    workspace_id: str
    account_id: str
    task_id: str = ""

    def token(self, *, external: bool = False, label: str = "fuzz") -> str:
        """A fresh token: operations that revoke one get their own."""
        import store.sessions

        token, _ = store.sessions.mint(
            account_id=None if external else self.account_id,
            email="guest@partner.example" if external else "ada@example.com",
            issuer="https://login.partner.example" if external else None,
            client_id="difyspec",
            device_label=label,
            ttl=timedelta(days=1),
        )
        return token

    def cookie(self) -> str:
        """A page sign-in, for the two operations that a person answers."""
        import store.cookies

        return store.cookies.open(self.account_id)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    import store
    import store.accounts
    import store.apps
    import store.workspaces
    from engine import definition

    folder = tmp_path_factory.mktemp("fuzz")
    store.open(f"sqlite:///{folder / 'fuzz.db'}")
    account = store.accounts.create("ada@example.com", "Ada", "correct horse")
    workspace = store.workspaces.create("Ada's workspace", account.id)
    source = ROOT / "examples" / "ask.yml"
    loaded = definition.load(source.read_bytes())
    made = store.apps.create(
        workspace.id,
        account.id,
        name=loaded.name,
        mode=loaded.mode,
        description=loaded.description,
        definition=loaded.document,
        source=source.read_text(encoding="utf-8"),
        tags=["example"],
    )
    store.apps.publish(made.id)
    store.apps.set_access(made.id, "public")
    yield Ground(made.id, workspace.id, account.id)
    store.close()
