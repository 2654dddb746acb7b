"""A server that dies, or is told to end, at each moment of a run: the next one goes on, or says how it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.recovery.kills import cut_down
from tests.recovery.site import Site
from tests.recovery.stories import check_whole, story, text_of

EXPECTED = {"advanced-chat": "w0 w1 w2 w3 /a-b-c", "workflow": "w0 w1 w2 w3 a-b-c"}
BODIES: dict[str, dict[str, Any]] = {"advanced-chat": {"inputs": {}, "query": "go"}, "workflow": {"inputs": {}}}
ROUNDS = 2  # at most, until each event was once the last that was seen


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each of the two databases, empty."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'site.db'}"
        return
    server = os.environ["DIFYSPEC_TEST_DATABASE"]
    yield databases.create_postgres(server)
    databases.drop_postgres(server)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("mode", BODIES)
def test_each_event_may_be_the_last_one(url: str, tmp_path: Path, mode: str, number: signal.Signals) -> None:
    site = Site(tmp_path, url, DIFYSPEC_CHECKPOINT_SECONDS="0.01", DIFYSPEC_MAX_CONCURRENT_RUNS="8")
    app_id, server = site.add(story(mode)), site.server()
    server.start()
    try:
        whole = site.head(server, app_id, BODIES[mode], 1000)
        check_whole(whole)
        assert text_of(whole) == EXPECTED[mode]
        seen: set[int] = set()
        for _ in range(ROUNDS):
            seen |= cut_down(site, server, app_id, BODIES[mode], number)
            if seen >= set(range(1, len(whole))):
                break
        print("seen", sorted(seen), "of", len(whole))
    finally:
        site.close()
