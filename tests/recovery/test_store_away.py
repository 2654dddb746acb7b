"""A database that goes away while runs work: they go on, and what they tell arrives when it is back."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest

from tests.engine.forms import ask
from tests.engine.graphs import chat_document, document, edge, end, llm, node
from tests.recovery.conftest import MakeSite
from tests.recovery.kills import Reader
from tests.recovery.stories import check_whole, story, text_of
from tests.waiting import HANG

pytestmark = pytest.mark.timeout(300)


@contextmanager
def away(url: str, seconds: float) -> Iterator[None]:
    """SQLite: somebody else holds the write lock for longer than a writer waits. PostgreSQL: it drops everybody."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=HANG)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            time.sleep(seconds)
            other.execute("ROLLBACK")
        return
    yield
    end = time.monotonic() + seconds
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            while time.monotonic() < end:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                time.sleep(0.05)


def asking() -> dict[str, Any]:
    """start → a model → a person → end."""
    model = llm("llm", "go", delay_ms=100, chunks=30)
    chain = [node("start", "start", variables=[]), model, ask(), end(said=["llm", "text"])]
    ids = [one["id"] for one in chain]
    edges = [edge(a, b, "approve" if a == "review" else "source") for a, b in itertools.pairwise(ids)]
    return document(chain, edges)


APPS = {
    "that only tells": (chat_document(delay_ms=50, chunks=60), "0", "".join(f"w{n} " for n in range(60))),
    "that is kept at each node": (story("advanced-chat"), "0.01", "w0 w1 w2 w3 /a-b-c"),
}


@pytest.mark.parametrize("name", APPS)
def test_a_run_outlasts_a_database_that_is_away(site: MakeSite, name: str) -> None:
    definition, checkpoints, text = APPS[name]
    made = site(DIFYSPEC_CHECKPOINT_SECONDS=checkpoints)
    app_id, server = made.add(definition), made.server()
    server.start()
    readers = [Reader(made, server, app_id, {"inputs": {}, "query": "go"}) for _ in range(4)]
    for reader in readers:
        reader.wait_for(8)
    with away(made.url, 8):
        pass
    for reader in readers:
        events = reader.join()
        check_whole(events)
        assert events[-1].data["data"]["status"] == "succeeded"
        assert text_of(events) == text
        task = events[0].data["task_id"]
        assert made.attach(server, app_id, task, "0") == events
    assert made.at_work(app_id) == []


def test_a_run_that_would_wait_for_a_person_waits_for_the_database_first(site: MakeSite) -> None:
    made = site()
    app_id, server = made.add(asking()), made.server()
    server.start()
    reader = Reader(made, server, app_id, {"inputs": {}})
    reader.wait_for(4)
    with away(made.url, 8):
        pass
    head = reader.join()
    assert head[-1].data["event"] == "workflow_paused"
    assert [e.data["event"] for e in head].count("human_input_required") == 1
