"""A request to run an app that is sent twice: one run, whoever is quicker."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.journeys.conftest import ROOT, Live, Person
from tests.journeys.events import Event, run

ASK = {"inputs": {}, "query": "what is a bee"}


@pytest.fixture(scope="module")
def chat(live: Live) -> str:
    return live.import_app(ROOT / "examples" / "ask.yml", live.ada)


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())


def run_id(events: list[Event]) -> str:
    return str(events[0].data["workflow_run_id"])


def runs_of(live: Live, person: Person, app: str, key: str, body: dict[str, object]) -> httpx.Response:
    headers = person.headers | {"Idempotency-Key": key}
    return httpx.post(f"{live.api}/apps/{app}/run", json=body, headers=headers)


def test_the_same_request_again_streams_the_run_it_began_and_begins_none(live: Live, chat: str, key: str) -> None:
    first = run(live, live.ada, chat, ASK, key=key)
    again = run(live, live.ada, chat, {"query": "what is a bee", "inputs": {}}, key=key)
    assert again == first
    assert run_id(run(live, live.ada, chat, ASK)) != run_id(first), "without a key, each request begins a run"


def test_a_request_that_was_cut_off_goes_on_where_it_is(live: Live, chat: str, key: str) -> None:
    head = run(live, live.ada, chat, ASK, stop_after=1, key=key)
    whole = run(live, live.ada, chat, ASK, key=key)
    assert whole[0] == head[0]
    assert whole[-1].data["event"] == "workflow_finished"


def test_a_key_cannot_be_used_for_another_body(live: Live, chat: str, key: str) -> None:
    run(live, live.ada, chat, ASK, key=key)
    refused = runs_of(live, live.ada, chat, key, {**ASK, "query": "what is a wasp"})
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")


def test_twenty_requests_at_once_begin_one_run(live: Live, chat: str, key: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: run(live, live.ada, chat, ASK, key=key), range(20)))
    assert len({run_id(events) for events in found}) == 1
    assert all(events == found[0] for events in found)


def test_a_key_is_its_sender_s_and_its_app_s_alone(live: Live, chat: str, key: str) -> None:
    other = live.import_app(ROOT / "examples" / "ask.yml", live.ada)
    theirs = live.import_app(ROOT / "examples" / "ask.yml", live.bob)
    found = {
        run_id(run(live, person, app, ASK, key=key))
        for person, app in ((live.ada, chat), (live.ada, other), (live.bob, theirs))
    }
    assert len(found) == 3


def test_a_refused_request_does_not_use_up_its_key(live: Live, chat: str, key: str) -> None:
    refused = runs_of(live, live.ada, chat, key, {"inputs": {}})
    assert refused.status_code == 422
    assert run(live, live.ada, chat, ASK, key=key)[-1].data["data"]["status"] == "succeeded"


@pytest.mark.parametrize("bad", ["", "two words", "x" * 256])
def test_a_key_that_is_none_is_refused_by_name(live: Live, chat: str, bad: str) -> None:
    refused = runs_of(live, live.ada, chat, bad, ASK)
    assert refused.status_code == 422
    assert refused.json()["details"][0]["loc"] == ["header", "Idempotency-Key"]
