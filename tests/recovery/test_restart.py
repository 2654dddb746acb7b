"""A server that dies while runs wait or work: the next one knows them and goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.forms import review
from tests.recovery.kills import Reader, cut_down, read_on
from tests.recovery.site import Site
from tests.recovery.stories import story


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, f"sqlite:///{tmp_path / 'site.db'}", DIFYSPEC_CHECKPOINT_SECONDS="0.01")
    yield made
    made.close()


def test_a_server_is_killed_while_runs_wait_and_work_and_the_next_goes_on_with_them(site: Site) -> None:
    server, form_app, story_app = site.server(), site.add(review()), site.add(story("advanced-chat"))
    server.start()
    head = site.head(server, form_app, {"inputs": {}}, 1000)
    assert head[-1].data["event"] == "workflow_paused"
    asked: dict[str, Any] = next(e.data for e in head if e.data["event"] == "human_input_required")["data"]

    cut_down(site, server, story_app, {"inputs": {}, "query": "go"}, signal.SIGKILL, until=34)

    form = f"{server.api}/apps/{form_app}/form/human_input/{asked['form_token']}"
    answer = {"inputs": {"comment": "well said"}, "action": "approve"}
    assert httpx.get(form, headers=site.ada.headers).json()["form_content"] == asked["form_content"]
    assert httpx.post(form, headers=site.ada.headers, json=answer).status_code == 200
    tail = site.attach(server, form_app, head[0].data["task_id"], head[-1].id)
    assert tail[-1].data["data"]["outputs"]["comment"] == "well said"
    ids = [int(event.id) for event in head + tail]
    assert ids == list(range(1, len(ids) + 1))
    assert asked["form_token"] not in server.log.read_text()


def test_fifty_clients_of_a_server_that_is_killed_read_on_without_a_gap(site: Site) -> None:
    bounds = ("RUNS_PER_SUBJECT", "RUNS_PER_APP", "STREAMS_PER_SUBJECT")
    server = site.server(DIFYSPEC_MAX_CONCURRENT_RUNS="50", **{f"DIFYSPEC_MAX_{name}": "0" for name in bounds})
    app_id = site.add(story("advanced-chat", delay_ms=500))
    server.start()
    readers = [Reader(site, server, app_id, {"inputs": {}, "query": "go"}) for _ in range(50)]
    for reader in readers:
        reader.wait_for(3)
    server.end(signal.SIGKILL)
    heads = [reader.join() for reader in readers]
    assert any(head[-1].data["event"] != "workflow_finished" for head in heads), "they are cut off"
    server.start()
    assert len({events[0].data["task_id"] for events in read_on(site, server, app_id, heads)}) == 50
