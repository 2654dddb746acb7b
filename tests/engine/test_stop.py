"""Ending a run early: at once, whatever its nodes are doing, and with everything said that has to be said.

What the nodes do here takes days. That a run has ended, and that its work has, is seen while it would still go on.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine import runs
from store import conversations, run_counts
from store import events as stored
from store.refusal import Refusal
from tests.engine.graphs import chain_document, chat_document, code, document, edge, end, node, template
from tests.engine.web_server import listening
from tests.waiting import HANG

SLOW_TEMPLATE = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"

DAYS = 1_000_000


@pytest.fixture
def silent_server() -> Iterator[str]:
    """An HTTP server that takes requests and does not answer for a long time."""
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            release.wait(HANG)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with listening(Handler) as url:
        yield f"{url}/"
        release.set()


def looping() -> dict[str, Any]:
    nodes = [
        node("start", "start", variables=[]),
        node(
            "again",
            "loop",
            start_node_id="s",
            loop_count=10**9,
            break_conditions=[],
            loop_variables=[],
            logical_operator="and",
        ),
        node("s", "loop-start", "again", loop_id="again", isInLoop=True),
        node("t", "template-transform", "again", template="x", variables=[], loop_id="again", isInLoop=True),
        end(),
    ]
    return document(nodes, [edge("start", "again"), edge("s", "t"), edge("again", "end")])


def fetching(url: str, **data: Any) -> dict[str, Any]:
    return node(
        "fetch", "http-request", method="get", url=url, authorization={"type": "no-auth"}, headers="",
        params="", body={"type": "none", "data": []}, timeout={}, **data,
    )  # fmt: skip


def stop_when_busy(
    bench: Any, definition: dict[str, Any], soon: Callable[..., Any], least: int = 3
) -> tuple[list[Any], Any]:
    """Stop a run once a node works or waits and more than ``least`` events were told; out: its events, and the run."""
    run = bench.start(bench.app(definition))
    live = runs.machine().live[run.id]

    def busy() -> bool:
        told = len(live.log.since(0)[0])
        waits = live.cancel._hooks or live.cancel._event._cond._waiters  # type: ignore[attr-defined]
        return told > 10 or (told > least and bool(waits))

    soon(busy, "a node at work")
    runs.stop(bench.stored(run))
    assert bench.stored(run).status == "stopped", "its end is stored when stop returns"
    soon(lambda: run.id not in runs.machine().live, "the end of its work")
    return bench.events(run), run


CASES = {
    "tokens faster than the engine looks for commands": lambda url: chat_document(delay_ms=20, chunks=100_000),
    "tokens slower than a second": lambda url: chat_document(delay_ms=600_000, chunks=5),
    "a template that does not end": lambda url: chain_document(template("t", SLOW_TEMPLATE)),
    "a server that does not answer": lambda url: chain_document(fetching(url), "body"),
    "waiting for a retry": lambda url: chain_document(
        fetching(
            "http://127.0.0.1:9/",
            retry_config={"retry_enabled": True, "max_retries": 3, "retry_interval": 100_000_000},
        ),
        "body",
    ),
    "code that does not end": lambda url: chain_document(
        code("c", "def main():\n    while True: pass", result="string")
    ),
    "a loop": lambda url: looping(),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_stops_at_once_while(
    case: str, bench: Any, configure: Any, silent_server: str, soon: Callable[..., Any]
) -> None:
    configure(allow_private_addresses=True, code_seconds=DAYS, template_seconds=DAYS, max_execution_steps=10**9)
    events, _ = stop_when_busy(bench, CASES[case](silent_server), soon)

    last = events[-1]
    assert last["event"] == "workflow_finished"
    assert (last["data"]["status"], last["data"]["error"]) == ("stopped", "Stopped by user.")
    started = {e["data"]["id"] for e in events if e["event"] == "node_started"}
    finished = {e["data"]["id"]: e["data"]["status"] for e in events if e["event"] == "node_finished"}
    assert started == set(finished)
    assert "failed" not in finished.values()


def test_the_threads_of_a_stopped_run_go_away(
    bench: Any, configure: Any, silent_server: str, soon: Callable[..., Any]
) -> None:
    configure(allow_private_addresses=True)
    stop_when_busy(bench, chain_document(fetching(silent_server), "body"), soon)
    soon(lambda: not [t for t in threading.enumerate() if t.name.startswith("Engine")])


def test_the_answer_so_far_is_kept_when_a_chat_is_stopped(bench: Any, soon: Callable[..., Any]) -> None:
    events, run = stop_when_busy(bench, chat_document(delay_ms=20, chunks=100_000), soon, least=10)
    said = "".join(event["answer"] for event in events if event["event"] == "message")

    assert said
    assert [event["event"] for event in events[-2:]] == ["message_end", "workflow_finished"]
    assert events[-1]["data"]["outputs"]["answer"] == said
    message = conversations.history(run.conversation_id)[0]
    assert (message.answer, message.status) == (said, "stopped")


def test_stopping_twice_or_after_the_end_changes_nothing(bench: Any, soon: Callable[..., Any]) -> None:
    events, run = stop_when_busy(bench, chat_document(delay_ms=20, chunks=100_000), soon)
    runs.stop(run)
    runs.stop(bench.stored(run))
    assert bench.events(run) == events


def test_a_run_that_waits_for_its_turn_can_be_stopped(bench: Any, configure: Any) -> None:
    configure(max_concurrent_runs=1)
    app = bench.app(chat_document(delay_ms=50, chunks=100))
    first, second = bench.start(app), bench.start(app)
    runs.stop(second)
    names = [event["event"] for event in bench.events(second)]
    assert names == ["workflow_started", "message_end", "workflow_finished"]
    assert bench.stored(second).status == "stopped"
    runs.stop(first)


def test_shutting_down_ends_what_cannot_be_kept_with_the_reason(
    bench: Any, configure: Any, silent_server: str, soon: Callable[..., Any]
) -> None:
    configure(release_seconds=0.2, allow_private_addresses=True)
    run = bench.start(bench.app(chain_document(fetching(silent_server), "body")))
    soon(lambda: stored.last_seq(run.id) >= 4)
    runs.shutdown()
    row = bench.stored(run)
    assert (row.status, row.error) == (
        "failed",
        "worker_lost: The server was shut down while this was running.",
    )


def test_a_closing_server_begins_no_run_and_stores_none(bench: Any) -> None:
    app = bench.app(chat_document())
    runs.shutdown()
    with pytest.raises(Refusal) as caught:
        bench.start(app)
    assert (caught.value.code, caught.value.headers) == ("service_unavailable", {"Retry-After": "5"})
    assert run_counts.active_count(app.id) == 0


def test_who_asks_for_the_end_while_it_is_under_way_waits_for_it(bench: Any, soon: Callable[..., Any]) -> None:
    run = bench.start(bench.app(chat_document(delay_ms=50, chunks=12)))
    soon(lambda: stored.last_seq(run.id) >= 4)
    first = threading.Thread(target=runs.shutdown)
    first.start()
    soon(lambda: runs.machine().closed)
    runs.shutdown()
    # The store may be closed now: nothing is under way any more.
    assert bench.stored(run).worker == ""
    first.join()
