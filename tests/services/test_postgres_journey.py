"""The main story on a server whose state is in PostgreSQL: sign in, run, drop the connection, attach again."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx

import store
import store.accounts
import store.workspaces
from tests.journeys.events import read
from tests.judge import fair
from tests.services.conftest import ROOT, Serve, Server

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


def test_a_device_signs_in_runs_an_app_and_comes_back(postgres_url: str, redis_url: str, serve: Serve) -> None:
    store.open(postgres_url)
    ada = store.accounts.create(EMAIL, "Ada", PASSWORD)
    store.workspaces.create("Home", ada.id)
    store.close()
    server = serve(DATABASE_URL=postgres_url, REDIS_URL=redis_url)
    command = [sys.executable, "-c", "from server.cli import main; main()", "apps", "import", "examples/ask.yml"]
    subprocess.run(command, env={"DATABASE_URL": postgres_url}, cwd=ROOT, check=True, capture_output=True)

    mine = {"Authorization": f"Bearer {sign_in(server)}"}
    me = fair(httpx.get(server.api + "/account", headers=mine)).json()
    query = {"workspace_id": me["default_workspace_id"]}
    (app,) = fair(httpx.get(server.api + "/apps", params=query, headers=mine)).json()["data"]
    fair(httpx.get(f"{server.api}/apps/{app['id']}/describe", headers=mine))

    body, run = {"inputs": {}, "query": "what is a bee"}, f"{server.api}/apps/{app['id']}/run"
    with httpx.stream("POST", run, json=body, headers=mine) as stream:
        head = read(stream, stop_after=3)
    events = f"{server.api}/apps/{app['id']}/tasks/{head[0].data['task_id']}/events"
    with httpx.stream("GET", events, headers=mine | {"Last-Event-ID": head[-1].id}) as stream:
        joined = head + read(stream)
    ids = [int(event.id) for event in joined]
    assert ids == list(range(1, len(ids) + 1))
    assert [joined[0].data["event"], joined[-1].data["event"]] == ["workflow_started", "workflow_finished"]
    assert joined[-1].data["data"]["status"] == "succeeded"
    with httpx.stream("GET", events, params={"include_state_snapshot": "true"}, headers=mine) as stream:
        assert read(stream) == joined

    assert fair(httpx.delete(server.api + "/account/sessions/self", headers=mine)).json() == {"status": "revoked"}
    assert fair(httpx.get(server.api + "/account", headers=mine)).status_code == 401


def sign_in(server: Server) -> str:
    """The device flow: the device asks, a person approves in the pages, the device collects."""
    started = {"client_id": "difyctl", "device_label": "story"}
    code = fair(httpx.post(server.api + "/oauth/device/code", json=started)).json()
    with httpx.Client(base_url=server.base, headers={"Origin": server.base}, follow_redirects=True) as browser:
        signed_in = browser.post("/signin", data={"email": EMAIL, "password": PASSWORD})
        assert signed_in.status_code == 200, re.sub("<[^>]+>", "", signed_in.text)
        approved = browser.post("/openapi/v1/oauth/device/approve", json={"user_code": code["user_code"]})
        assert fair(approved).json() == {"status": "approved"}
    poll = {"client_id": "difyctl", "device_code": code["device_code"]}
    return str(fair(httpx.post(server.api + "/oauth/device/token", json=poll)).json()["access_token"])
