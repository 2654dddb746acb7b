"""What people rely on without a thought: secrets stay secret, text arrives whole, a busy database is no fault."""

from __future__ import annotations

import json
import sqlite3
import uuid
from pathlib import Path

import httpx
import pytest

from tests.journeys.conftest import ROOT, Live
from tests.journeys.events import attach, run
from tests.judge import fair


@pytest.fixture(scope="module")
def chat(live: Live) -> str:
    return live.import_app(ROOT / "examples" / "ask.yml", live.ada)


def test_no_secret_rests_in_the_database_its_journal_or_the_log(live: Live, chat: str) -> None:
    code = fair(httpx.post(live.api + "/oauth/device/code", json={"client_id": "difyctl", "device_label": "x"})).json()
    fair(
        httpx.post(
            live.api + "/oauth/device/token",
            json={"client_id": "difyctl", "device_code": code["device_code"]},
        )
    )
    httpx.get(f"{live.api}/nowhere?access_token={live.ada.token}", headers=live.ada.headers)
    httpx.post(live.base + "/signin", data={"email": live.ada.email, "password": "a wrong password"})
    run(live, live.ada, chat, {"inputs": {}, "query": "hello"})
    secrets = {
        "a token": live.ada.token,
        "an external token": live.external["Authorization"].removeprefix("Bearer "),
        "a device code": code["device_code"],
        "a password": "a wrong password",
    }
    folder = Path(live.environment["DIFYSPEC_DATA_DIR"])
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "secret.key"]
    assert {"live.db", "server.log"} <= {file.name for file in files}
    found = [
        f"{name} in {file.name}" for file in files for name, one in secrets.items() if one.encode() in file.read_bytes()
    ]
    assert found == []


@pytest.mark.parametrize("last", ["abc", "-1", "1.5", "1" * 19, "1;2", "٣"])
def test_a_position_that_is_no_event_id_is_refused(live: Live, chat: str, last: str) -> None:
    task = run(live, live.ada, chat, {"inputs": {}, "query": "hello"})[0].data["task_id"]
    url = f"{live.api}/apps/{chat}/tasks/{task}/events"
    by_header = fair(httpx.get(url, headers={**live.ada.headers, "Last-Event-ID": last.encode()}))
    by_query = fair(httpx.get(url, headers=live.ada.headers, params={"last_event_id": last}))
    assert [answer.status_code for answer in (by_header, by_query)] == [422, 422]


def test_after_the_end_the_last_event_is_told_again_and_who_has_it_is_told_to_stay_away(live: Live, chat: str) -> None:
    events = run(live, live.ada, chat, {"inputs": {}, "query": "hello"})
    task, last = events[0].data["task_id"], events[-1].id
    assert attach(live, live.ada, chat, task)[-1].data == events[-1].data
    assert attach(live, live.ada, chat, task, events[-2].id) == events[-1:]
    url = f"{live.api}/apps/{chat}/tasks/{task}/events"
    by_header = fair(httpx.get(url, headers={**live.ada.headers, "Last-Event-ID": last}))
    by_query = fair(httpx.get(url, headers=live.ada.headers, params={"last_event_id": last}))
    assert [(answer.status_code, answer.content) for answer in (by_header, by_query)] == [(204, b"")] * 2


TEXTS = [
    "two\nlines", "a\r\nb", "a\rb", ": a comment", "data: x\n\nid: 99\n\n", "id: 7", "🐝 \u2028\u2029\x85",
    "\ufeffmark", "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=[ascii(text)[:20] for text in TEXTS])
def test_text_of_any_content_arrives_whole(live: Live, chat: str, text: str) -> None:
    events = run(live, live.ada, chat, {"inputs": {}, "query": text})
    answer = "".join(event.data["answer"] for event in events if event.data["event"] == "message")
    assert text in answer
    assert [int(event.id) for event in events] == list(range(1, len(events) + 1))


def test_text_that_is_no_unicode_is_refused(live: Live, chat: str) -> None:
    body = b'{"inputs": {}, "query": "\\ud800"}'
    headers = {**live.ada.headers, "Content-Type": "application/json"}
    answer = fair(httpx.post(f"{live.api}/apps/{chat}/run", content=body, headers=headers))
    assert answer.status_code in (400, 422)


def test_while_the_database_is_locked_reading_goes_on_and_writing_is_asked_to_wait(live: Live) -> None:
    other = sqlite3.connect(live.database, isolation_level=None)
    start = {"client_id": "difyctl", "device_label": str(uuid.uuid4())}
    other.execute("BEGIN IMMEDIATE")
    try:
        assert fair(httpx.get(live.api + "/account", headers=live.ada.headers)).status_code == 200
        refused = fair(httpx.post(live.api + "/oauth/device/code", json=start))
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert fair(httpx.post(live.api + "/oauth/device/code", json=start)).status_code == 200


def test_a_command_of_the_operator_ends_the_open_stream_of_who_lost_access(live: Live) -> None:
    """The command is another process than the server; the stream is quiet, for its run waits for a person."""
    app = live.import_app(ROOT / "examples" / "review.yml", live.ada)
    live.operator("workspaces", "members", "add", live.ada.workspace_id, live.bob.email)
    waiting = run(live, live.bob, app, {"inputs": {"text": "Bees dance."}})
    url = f"{live.api}/apps/{app}/tasks/{waiting[0].data['task_id']}/events"
    with httpx.stream("GET", url, headers=live.bob.headers, params={"continue_on_pause": "true"}) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data:"))
        assert any("workflow_paused" in line for line in lines)
        live.operator("workspaces", "members", "remove", live.ada.workspace_id, live.bob.email)
        last = [json.loads(line[5:]) for line in lines]
    assert [(one["event"], one["code"], one["status"]) for one in last] == [("error", "not_found", 404)]
    refused = fair(httpx.get(url, headers=live.bob.headers))
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
