"""A story over real HTTP for each mode without a workflow: run, cut, re-attach, go on, stop, and a stranger."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import ROOT, Live
from tests.journeys.events import Event, attach, read, run

EXAMPLES = {
    "chat": ("greeter", {"inputs": {"name": "Bea"}, "query": "one two three"}),
    "agent-chat": ("planner", {"inputs": {"steps": 3}, "query": "Move house"}),
    "completion": ("rewrite", {"inputs": {"query": "Bees dance a lot", "readers": "everyone"}}),
}
MODES = sorted(EXAMPLES)


@pytest.fixture(scope="module")
def app_ids(live: Live) -> dict[str, str]:
    paths = [ROOT / "examples" / f"{name}.yml" for name, _ in EXAMPLES.values()]
    return dict(zip(EXAMPLES, live.import_apps(paths, live.ada), strict=True))


def answer(events: list[Event]) -> str:
    return "".join(e.data["answer"] for e in events if e.data["event"] in ("message", "agent_message"))


def slow(body: dict[str, Any], app_mode: str) -> dict[str, Any]:
    """The same request, answered by the echo model for twenty seconds."""
    marker = "[[echo {chunks: 400, delay_ms: 50}]]"
    if app_mode == "completion":
        return {**body, "inputs": {**body["inputs"], "query": marker}}
    return {**body, "query": marker}


@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_answered_and_can_be_read_again_from_every_event(
    live: Live, app_ids: dict[str, str], mode: str
) -> None:
    app_id, body = app_ids[mode], EXAMPLES[mode][1]
    events = run(live, live.ada, app_id, body)
    assert events[-1].data["event"] == "message_end"
    assert answer(events)
    task = events[0].data["task_id"]
    assert attach(live, live.ada, app_id, task) == events
    for cut in range(1, len(events)):
        assert attach(live, live.ada, app_id, task, events[cut - 1].id) == events[cut:]


@pytest.mark.parametrize("mode", MODES)
def test_a_cut_stream_goes_on_where_it_was_cut_and_stop_ends_it(live: Live, app_ids: dict[str, str], mode: str) -> None:
    app_id, body = app_ids[mode], slow(EXAMPLES[mode][1], mode)
    head = run(live, live.ada, app_id, body, stop_after=1)
    task = head[0].data["task_id"]
    url = f"{live.api}/apps/{app_id}/tasks/{task}"
    foreign = httpx.post(f"{url}/stop", headers=live.bob.headers)
    assert foreign.status_code == 404
    with httpx.stream("GET", f"{url}/events", headers=live.ada.headers | {"Last-Event-ID": head[-1].id}) as stream:
        assert httpx.post(f"{url}/stop", headers=live.ada.headers).json() == {"result": "success"}
        tail = read(stream)
    ids = [int(event.id) for event in head + tail]
    assert ids == list(range(1, len(ids) + 1))
    assert tail[-1].data["event"] == "message_end"
    assert len(ids) < 300


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "completion"])
def test_a_conversation_goes_on_for_its_owner_only(live: Live, app_ids: dict[str, str], mode: str) -> None:
    app_id, body = app_ids[mode], EXAMPLES[mode][1]
    live.operator("apps", "access", app_id, "public")
    try:
        first = run(live, live.ada, app_id, body)
        conversation = first[0].data["conversation_id"]
        second = run(live, live.ada, app_id, body | {"conversation_id": conversation})
        assert second[0].data["conversation_id"] == conversation
        assert second[0].data["message_id"] != first[0].data["message_id"]
        for stranger in (live.external, live.bob.headers):
            refused = httpx.post(
                f"{live.api}/apps/{app_id}/run", headers=stranger, json=body | {"conversation_id": conversation}
            )
            assert refused.status_code == 404
    finally:
        live.operator("apps", "access", app_id, "private_all")


def test_an_agents_thoughts_and_tools_are_told_over_http(live: Live, app_ids: dict[str, str]) -> None:
    call = "{tool_calls: [{name: eval_expression, arguments: {expression: '6*7'}}]}"
    events = run(live, live.ada, app_ids["agent-chat"], {"inputs": {}, "query": f"What? [[echo {call}]]"})
    thoughts = [event.data for event in events if event.data["event"] == "agent_thought"]
    assert json.loads(thoughts[2]["observation"]) == {"eval_expression": "42"}
    assert thoughts[0]["id"] == thoughts[2]["id"] != thoughts[-1]["id"]
    assert answer(events) == "echo: 42"
    assert events[-1].data["metadata"]["usage"]["total_tokens"] > 0


def test_an_external_person_goes_on_with_a_conversation_of_their_own(live: Live, app_ids: dict[str, str]) -> None:
    app_id, body = app_ids["chat"], EXAMPLES["chat"][1]
    live.operator("apps", "access", app_id, "public")
    try:
        url = f"{live.api}/apps/{app_id}/run"
        with httpx.stream("POST", url, headers=live.external, json=body) as stream:
            conversation = read(stream)[0].data["conversation_id"]
        going_on = body | {"conversation_id": conversation}
        with httpx.stream("POST", url, headers=live.external, json=going_on) as stream:
            assert {event.data["conversation_id"] for event in read(stream)} == {conversation}
        assert httpx.post(url, headers=live.ada.headers, json=going_on).status_code == 404
    finally:
        live.operator("apps", "access", app_id, "private_all")
