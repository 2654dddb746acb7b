"""What exists for schemathesis to hit: people, apps and a run, and credentials for each operation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import requests

import store.accounts
import store.apps
import store.cookies
import store.device
import store.sessions
import store.workspaces
from engine.definition import reading as definition
from tests.engine.forms import review

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BASE = "/openapi/v1"
CLIENT = "difyspec"
ANSWER = {"inputs": {"comment": "Bees do dance."}, "action": "approve"}
CHAT = {"inputs": {}, "query": "What do bees eat?"}
# Operations that end the session they are called with: each call brings its own.
ENDS_ITS_SESSION = frozenset({"revokeOwnSession", "revokeSession"})
FOR_EXTERNALS = frozenset({"listPermittedExternalApps"})
_labels = count()


@dataclass
class Ground:
    """Enough for every operation to succeed. ``call_options`` is how schemathesis reaches the server."""

    call_options: dict[str, Any]
    origin: str
    session: requests.Session
    account_id: str
    workspace_id: str
    app_id: str
    asking_app_id: str
    task_id: str
    file_id: str
    file_sign: str
    token: str
    external_token: str
    cookie: str

    def bearer(self, operation_id: str) -> str:
        """The token that an operation is called with."""
        if operation_id in ENDS_ITS_SESSION:
            return mint(self.account_id)
        return self.external_token if operation_id in FOR_EXTERNALS else self.token

    def csrf_token(self) -> str:
        """The token of the page whose cookie this is."""
        return store.cookies.csrf_token(self.cookie)

    def session_id(self) -> str:
        """A session of the account that no request uses."""
        return _mint(self.account_id)[1]

    def user_code(self) -> str:
        """A code that waits for a person."""
        return store.device.start(CLIENT, "fuzzed", "192.0.2.1").user_code

    def form_token(self) -> str:
        """A form that waits for its answer, of the app that asks."""
        url = f"{self.origin}{BASE}/apps/{self.asking_app_id}/run"
        headers = {"Authorization": f"Bearer {self.token}"}
        run = self.session.post(url, json={"inputs": {}}, headers=headers, timeout=60)
        return run.text.partition('"form_token":"')[2].partition('"')[0]

    def device_code(self) -> str:
        """A code that the person has approved."""
        started = store.device.start(CLIENT, "fuzzed", "192.0.2.1")
        store.device.approve(started.user_code, self.account_id)
        return started.device_code


def lay(origin: str, session: requests.Session, call_options: dict[str, Any]) -> Ground:
    """Fill the open, empty store then run an app and upload a file through the API."""
    account = store.accounts.create("ada@example.com", "Ada", "correct horse")
    workspace = store.workspaces.create("Ada's workspace", account.id)
    _import(EXAMPLES / "summarise.yml", workspace.id, account.id)
    app_id = _import(EXAMPLES / "ask.yml", workspace.id, account.id)
    external, _ = store.sessions.mint(
        account_id=None,
        email="guest@partner.example",
        issuer="https://login.partner.example",
        client_id=CLIENT,
        device_label="guest",
        ttl=timedelta(days=1),
    )
    token = mint(account.id)
    app = f"{origin}{BASE}/apps/{app_id}"
    headers = {"Authorization": f"Bearer {token}"}
    run = session.post(f"{app}/run", json=CHAT, headers=headers, timeout=60)
    assert run.status_code == 200, run.text
    note = ("note.txt", b"Bees dance to tell the way.", "text/plain")
    upload = session.post(f"{app}/files/upload", files={"file": note}, headers=headers, timeout=60)
    assert upload.status_code == 201, upload.text
    return Ground(
        call_options=call_options,
        origin=origin,
        session=session,
        account_id=account.id,
        workspace_id=workspace.id,
        app_id=app_id,
        asking_app_id=_asking(workspace.id, account.id),
        task_id=run.text.partition('"task_id":"')[2].partition('"')[0],
        file_id=upload.json()["id"],
        file_sign=upload.json()["source_url"].partition("sign=")[2],
        token=token,
        external_token=external,
        cookie=store.cookies.open(account.id),
    )


def mint(account_id: str) -> str:
    """A fresh token of an account, in a session of its own."""
    return _mint(account_id)[0]


def _mint(account_id: str) -> tuple[str, str]:
    token, made = store.sessions.mint(
        account_id=account_id,
        email="ada@example.com",
        issuer=None,
        client_id=CLIENT,
        device_label=f"fuzz {next(_labels)}",
        ttl=timedelta(days=1),
    )
    return token, made.id


def _import(path: Path, workspace_id: str, account_id: str) -> str:
    loaded = definition.load(path.read_bytes())
    made = store.apps.create(
        workspace_id,
        account_id,
        name=loaded.name,
        mode=loaded.mode,
        description=loaded.description,
        definition=loaded.document,
        source=path.read_text(encoding="utf-8"),
        tags=["example"],
    )
    return _open(made.id)


def _asking(workspace_id: str, account_id: str) -> str:
    made = store.apps.create(workspace_id, account_id, name="Review", mode="workflow", definition=review(), source="-")
    return _open(made.id)


def _open(app_id: str) -> str:
    store.apps.publish(app_id)
    store.apps.set_access(app_id, "public")
    return app_id
