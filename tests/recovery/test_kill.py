"""A server that dies, or is told to end, at each moment of a run: the next one goes on, or says how it ended."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.recovery.conftest import MakeSite
from tests.recovery.kills import cut_down
from tests.recovery.stories import check_whole, story, text_of

EXPECTED = {"advanced-chat": "w0 w1 w2 w3 /a-b-c", "workflow": "w0 w1 w2 w3 \na-b-c"}
BODIES: dict[str, dict[str, Any]] = {"advanced-chat": {"inputs": {}, "query": "go"}, "workflow": {"inputs": {}}}
ROUNDS = 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("mode", BODIES)
def test_each_event_may_be_the_last_one(site: MakeSite, mode: str, number: signal.Signals) -> None:
    made = site(DIFYSPEC_CHECKPOINT_SECONDS="0.01", DIFYSPEC_MAX_CONCURRENT_RUNS="8")
    app_id, server = made.add(story(mode)), made.server()
    server.start()
    whole = made.head(server, app_id, BODIES[mode], 1000)
    check_whole(whole)
    assert text_of(whole) == EXPECTED[mode]
    for _ in range(ROUNDS):
        cut_down(made, server, app_id, BODIES[mode], number)
