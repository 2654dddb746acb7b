"""Many runs at once: of what each tells nothing is missing, doubled or out of order."""

from __future__ import annotations

import asyncio
import json

import httpx
from httpx_sse import aconnect_sse

from tests.engine.graphs import chat_document
from tests.recovery.conftest import MakeSite
from tests.waiting import HANG

RUNS, WORDS = 200, 96


def test_of_two_hundred_runs_of_a_hundred_events_none_is_missing_doubled_or_out_of_order(site: MakeSite) -> None:
    made = site(DIFYSPEC_MAX_RUNS_PER_SUBJECT="0", DIFYSPEC_MAX_STREAMS_PER_SUBJECT="0")
    app_id, server = made.add(chat_document(chunks=WORDS)), made.server()
    server.start()
    said = "".join(f"w{number} " for number in range(WORDS))

    async def one(client: httpx.AsyncClient, number: int) -> tuple[list[str], list[dict[str, object]]]:
        url, body = f"{server.api}/apps/{app_id}/run", {"inputs": {}, "query": f"number {number}"}
        async with aconnect_sse(client, "POST", url, headers=made.ada.headers, json=body) as source:
            assert source.response.status_code == 200, await source.response.aread()
            events = [event async for event in source.aiter_sse() if event.data]
        return [event.id for event in events], [json.loads(event.data) for event in events]

    async def all_of_them() -> list[tuple[list[str], list[dict[str, object]]]]:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=RUNS), timeout=HANG) as client:
            return await asyncio.gather(*(one(client, number) for number in range(RUNS)))

    streams = asyncio.run(all_of_them())
    assert len({events[0]["task_id"] for _, events in streams}) == RUNS
    for ids, events in streams:
        assert len(ids) >= 100
        assert ids == [str(number) for number in range(1, len(ids) + 1)]
        assert (events[0]["event"], events[-1]["event"]) == ("workflow_started", "workflow_finished")
        assert "".join(str(event["answer"]) for event in events if event["event"] == "message") == said
        assert {event["task_id"] for event in events} == {events[0]["task_id"]}
