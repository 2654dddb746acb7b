"""A reader that takes its stream at a crawl: its run goes on, and nobody else waits."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import store
import store.runs
from store import app_changes
from tests.engine.graphs import chat_document
from tests.journeys.conftest import Live
from tests.journeys.events import attach, run

CHUNKS = 6_000


def app(live: Live, chunks: int) -> str:
    """A chat that answers with so many pieces."""
    store.open(live.environment["DATABASE_URL"])
    try:
        made = app_changes.create(
            live.ada.workspace_id, live.ada.account_id, name=f"{chunks} pieces", mode="advanced-chat",
            definition=chat_document(chunks=chunks), source="-",
        )  # fmt: skip
        app_changes.publish(made.id)
    finally:
        store.close()
    return str(made.id)


def test_a_reader_at_a_crawl_holds_up_nobody(live: Live) -> None:
    long, short = app(live, CHUNKS), app(live, 20)
    address, body = urlsplit(live.base), b'{"inputs": {}, "query": "go"}'
    head = (
        f"POST /openapi/v1/apps/{long}/run HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {live.ada.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address.hostname or "", address.port or 0))
        slow.sendall(head.encode() + body)
        told = b""
        while b'"workflow_run_id":"' not in told:
            told += slow.recv(512)
        assert told.startswith(b"HTTP/1.1 200")
        task = told.partition(b'"task_id":"')[2].partition(b'"')[0].decode()
        for _ in range(5):
            events = run(live, live.ada, short, {"inputs": {}, "query": "hello"})
            assert events[-1].data["data"]["status"] == "succeeded"
            slow.recv(1)
        # Its own run ends without it, and another reader gets all of it.
        whole = attach(live, live.ada, long, task, include_state_snapshot="true")
        assert whole[-1].data["data"]["status"] == "succeeded"
        assert sum(event.data["event"] == "message" for event in whole) == CHUNKS
