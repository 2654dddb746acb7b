"""Import, describe, run, drop the connection at every event and resume."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from httpx_sse import aconnect_sse

from tests.definitions import HERE, MORE
from tests.journeys.conftest import ROOT, Live
from tests.journeys.events import attach, run

CHATFLOW = ROOT / "examples" / "ask.yml"
OURS = [ROOT / "examples" / f"{name}.yml" for name in ("ask", "summarise", "triage")]
# Which ask nobody, and do not fail on purpose.
OTHERS = [*(path for path in HERE if path.stem not in ("expense", "station", "two_languages")), *MORE]


@pytest.fixture(scope="module")
def chatflow(live: Live) -> str:
    """Imported by a real process, as an operator does it."""
    command = [sys.executable, "-c", "from server.cli import main; main()", "apps", "import", str(CHATFLOW)]
    options = ["--owner", live.ada.email, "-o", "json"]
    done = subprocess.run([*command, *options], env=live.environment, cwd=ROOT, capture_output=True, check=True)
    return str(json.loads(done.stdout)[0]["id"])


def test_an_app_is_imported_described_and_run(live: Live, chatflow: str) -> None:
    described = httpx.get(f"{live.api}/apps/{chatflow}/describe", headers=live.ada.headers)
    assert described.json()["info"]["mode"] == "advanced-chat"
    unchanged = httpx.get(
        f"{live.api}/apps/{chatflow}/describe",
        headers=live.ada.headers | {"If-None-Match": described.headers["etag"]},
    )
    assert unchanged.status_code == 304
    events = run(live, live.ada, chatflow, {"inputs": {}, "query": "what is a bee"})
    names = [event.data["event"] for event in events]
    assert names[0] == "workflow_started"
    assert names[-2:] == ["message_end", "workflow_finished"]
    answer = "".join(event.data["answer"] for event in events if event.data["event"] == "message")
    assert "what is a bee" in answer


def test_a_stream_cut_at_any_event_resumes_without_gap_or_repeat(live: Live, chatflow: str) -> None:
    body = {"inputs": {}, "query": "one two three four"}
    length = len(run(live, live.ada, chatflow, body))
    for cut in range(1, length):
        head = run(live, live.ada, chatflow, body, stop_after=cut)
        task = head[0].data["task_id"]
        tail = attach(live, live.ada, chatflow, task, head[-1].id)
        joined = head + tail
        ids = [int(event.id) for event in joined]
        assert ids == sorted(set(ids)), f"cut after {cut}"
        assert len(joined) == length, f"cut after {cut}: {[e.data['event'] for e in joined]}"
        whole = attach(live, live.ada, chatflow, task, include_state_snapshot="true")
        assert [e.data for e in whole] == [e.data for e in joined], f"cut after {cut}"


@pytest.mark.parametrize("where", ["header", "query"])
def test_an_id_that_is_none_of_the_run_s_events_is_refused(live: Live, chatflow: str, where: str) -> None:
    events = run(live, live.ada, chatflow, {"inputs": {}, "query": "one"})
    url = f"{live.api}/apps/{chatflow}/tasks/{events[0].data['task_id']}/events"
    for last, status in ((len(events) - 1, 200), (len(events), 204), (len(events) + 1, 422), (10**17, 422)):
        headers = live.ada.headers | ({"Last-Event-ID": str(last)} if where == "header" else {})
        params = {"last_event_id": str(last)} if where == "query" else {}
        answer = httpx.get(url, headers=headers, params=params)
        assert (answer.status_code, last) == (status, last)
        assert status < 400 or "Last-Event-ID must be an id of this run's events" in answer.json()["message"]


def test_fifty_runs_started_at_once_miss_nothing(live: Live, chatflow: str) -> None:
    async def one(client: httpx.AsyncClient, number: int) -> list[tuple[str, dict[str, object]]]:
        async with aconnect_sse(
            client,
            "POST",
            f"{live.api}/apps/{chatflow}/run",
            headers=live.ada.headers,
            json={"inputs": {}, "query": f"number {number} of fifty"},
        ) as source:
            return [(e.id, json.loads(e.data)) async for e in source.aiter_sse() if e.data]

    async def all_of_them() -> list[list[tuple[str, dict[str, object]]]]:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(limits=limits) as client:
            return await asyncio.gather(*(one(client, number) for number in range(50)))

    streams = asyncio.run(all_of_them())
    lengths = {len(stream) for stream in streams}
    assert len(lengths) == 1
    for stream in streams:
        assert stream[0][1]["event"] == "workflow_started"
        assert stream[-1][1]["event"] == "workflow_finished"
        assert len({identity for identity, _ in stream}) == len(stream)


@pytest.fixture(scope="module")
def definitions(live: Live) -> dict[Path, str]:
    """All definitions, imported: file to app id."""
    paths = [*OURS, *OTHERS]
    return dict(zip(paths, live.import_apps(paths, live.ada), strict=True))


@pytest.mark.parametrize("path", [*OURS, *OTHERS], ids=lambda path: path.stem)
def test_a_definition_runs_the_same_twice(live: Live, definitions: dict[Path, str], path: Path) -> None:
    """Each event is checked against the contract as it is read, see ``events.read``."""
    app_id = definitions[path]
    schema = httpx.get(f"{live.api}/apps/{app_id}/describe", headers=live.ada.headers).json()["input_schema"]
    body = {"inputs": _inputs(schema)}
    if "query" in schema["properties"]:
        body["query"] = "blue is the question"
    shapes = [[_shape(event.data) for event in run(live, live.ada, app_id, body)] for _ in range(2)]
    assert shapes[0] == shapes[1]
    # A run without a workflow ends with its message.
    assert shapes[0][-1][:2] in (("workflow_finished", "succeeded"), ("message_end", None))


def _inputs(schema: dict) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, one in schema["properties"]["inputs"]["properties"].items():
        kind = one.get("type")
        if kind in ("object", "array") or (kind is None and "enum" not in one):
            continue  # a file, which may be left out
        values[name] = one["enum"][0] if "enum" in one else {"number": 3, "boolean": True}.get(kind, "hello")
    return values


def _shape(event: dict) -> tuple[object, ...]:
    data = event.get("data", {})
    return (
        event["event"],
        data.get("status"),
        data.get("node_id"),
        data.get("text"),
        event.get("answer"),
        json.dumps(data.get("outputs"), sort_keys=True),
    )
