"""Every event that the contract declares comes over the wire in some story here; each fits its own schema.

``events.read`` holds each event against the contract as it arrives, so an event that is not declared fails here too.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from store import app_changes
from tests.engine.forms import review
from tests.engine.graphs import document, edge, end, llm, node, template
from tests.engine.test_easy_modes import AVOID, easy
from tests.engine.test_error_strategies import container
from tests.engine.test_tool_nodes import agent
from tests.journeys.conftest import Live, Person
from tests.journeys.events import Event, attach, run
from tests.judge import VIEW, wrong_with
from tests.recovery.site import Site
from tests.waiting import HANG

DECLARED = set(VIEW["components"]["schemas"]["RunEvent"]["discriminator"]["mapping"])
SPEECH = {"text_to_speech": {"enabled": True, "autoPlay": "enabled", "voice": "", "language": ""}}
TOOL = {"provider_type": "builtin", "provider_id": "time", "tool_name": "current_time", "enabled": True}
Story = Callable[["Server"], list[dict[str, Any]]]


@dataclass
class Server:
    """A server of our own, which a story may kill; ``folder`` holds its database and its log."""

    live: Live
    ada: Person
    folder: Path

    def app(self, definition: dict[str, Any]) -> str:
        """Store and publish an app; answers its id."""
        mode = definition["mode"]
        made = app_changes.create(
            self.ada.workspace_id, self.ada.account_id, name="A", mode=mode, definition=definition, source="-"
        )
        app_changes.publish(made.id)
        return str(made.id)

    def told(self, definition: dict[str, Any], query: str | None = None) -> list[dict[str, Any]]:
        """The events of one run."""
        body: dict[str, Any] = {"inputs": {}} | ({"query": query} if query else {})
        return [event.data for event in run(self.live, self.ada, self.app(definition), body)]


def everything() -> dict[str, Any]:
    """A workflow with a retry, an iteration, a loop and an agent, whose model's words are streamed."""
    flaky = llm("flaky", "hello", error="asleep", fail_times=1)
    flaky["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 1, "retry_interval": 1}
    words = node(
        "words", "code", code_language="python3", variables=[], code="def main(): return {'list': ['a', 'b']}",
        outputs={"list": {"type": "array[string]", "children": None}},
    )  # fmt: skip
    iteration, first, inner = container(
        "iteration", template("inner", "x"), iterator_selector=["words", "list"], output_selector=["inner", "output"]
    )
    loop, begin, inside = container(
        "loop", template("inside", "y"), loop_count=2, break_conditions=[], logical_operator="and", loop_variables=[]
    )
    loop["id"], begin["id"] = "again", "begin"
    for one in (begin, inside):
        one["parentId"] = one["data"]["loop_id"] = "again"
    loop["data"]["start_node_id"] = "begin"
    thinking = {**agent({"answer": "done"}), "id": "thinking"}
    nodes = [
        node("start", "start", variables=[]), flaky, words, iteration, first, inner, loop, begin, inside, thinking,
        end(text=["flaky", "text"]),
    ]  # fmt: skip
    chain = ["start", "flaky", "words", "it", "again", "thinking", "end"]
    edges = [edge(one, other) for one, other in pairwise(chain)]
    return document(nodes, [*edges, edge("first", "inner"), edge("begin", "inside")])


def answered(server: Server) -> list[dict[str, Any]]:
    """A form that a person answers."""
    app_id, asked = _asked(server)
    form = f"{server.live.api}/apps/{app_id}/form/human_input/{_required(asked)['form_token']}"
    answer = {"inputs": {"comment": "fine"}, "action": "approve"}
    assert httpx.post(form, headers=server.ada.headers, json=answer).status_code == 200
    return _followed(server, app_id, asked)


def late(server: Server) -> list[dict[str, Any]]:
    """A form whose time is over: its hour is moved into the past, as the server would find it tomorrow."""
    app_id, asked = _asked(server)
    with sqlite3.connect(server.folder / "restart.db", timeout=HANG) as database:
        form_id = _required(asked)["form_id"]
        database.execute("UPDATE forms SET expires_at = created_at - 1 WHERE id = ?", (form_id,))
    return _followed(server, app_id, asked)


def _followed(server: Server, app_id: str, asked: list[Event]) -> list[dict[str, Any]]:
    rest = attach(server.live, server.ada, app_id, asked[0].data["task_id"], asked[-1].id, continue_on_pause="true")
    return [event.data for event in [*asked, *rest]]


def _asked(server: Server) -> tuple[str, list[Event]]:
    app_id = server.app(review())
    return app_id, run(server.live, server.ada, app_id, {"inputs": {}})


def _required(events: list[Event]) -> dict[str, Any]:
    found: dict[str, Any] = next(e.data for e in events if e.data["event"] == "human_input_required")["data"]
    return found


STORIES: dict[str, Story] = {
    "a workflow with every kind of container": lambda server: server.told(everything()),
    "a chat that sends a picture and speaks": lambda server: server.told(
        easy(parameters={"image": True}, **SPEECH), "hello there"
    ),
    "a chat whose answer holds a forbidden word": lambda server: server.told(
        easy(sensitive_word_avoidance={**AVOID, "config": {**AVOID["config"], "inputs_config": {"enabled": False}}}),
        "the swordfish",
    ),
    "a chat whose model fails": lambda server: server.told(easy(parameters={"error": "asleep"}), "hello"),
    "an agent": lambda server: server.told(
        {"mode": "agent-chat", "model_config": easy()["model_config"] | {"agent_mode": {"tools": [TOOL]}}}, "hello"
    ),
    "an answered form": answered,
    "a form out of time": late,
}  # fmt: skip


@pytest.fixture(scope="module")
def produced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The events of each story, and those of a run whose server was killed in the middle of its text."""
    folder = tmp_path_factory.mktemp("ledger")
    site = Site(folder, f"sqlite:///{folder / 'restart.db'}", DIFYSPEC_CHECKPOINT_SECONDS="0.1")
    process = site.server()
    server = Server(site.live(process), site.ada, folder)
    try:
        with site.open():
            process.start()
            told = {name: story(server) for name, story in STORIES.items()}
            slow, slower = llm("slow", "x", delay_ms=300), llm("slower", "x", delay_ms=60, chunks=20)
            nodes = [node("start", "start", variables=[]), slow, slower, end(text=["slower", "text"])]
            chain = [edge("start", "slow"), edge("slow", "slower"), edge("slower", "end")]
            cut = server.app(document(nodes, chain))
            head = run(server.live, server.ada, cut, {"inputs": {}}, stop_after=8)
            assert head[-1].data["event"] == "text_chunk"
            process.end()
            process.start()
            rest = attach(server.live, server.ada, cut, head[0].data["task_id"], head[-1].id)
            told["a run that was begun again after a kill"] = [event.data for event in rest]
            yield told
    finally:
        site.close()


def test_each_event_that_the_contract_declares_is_produced_and_no_other(
    produced: dict[str, list[dict[str, Any]]],
) -> None:
    count = Counter(event["event"] for events in produced.values() for event in events)
    assert DECLARED - set(count) == set(), "declared and never produced"
    assert set(count) - DECLARED == set(), "produced and not declared"


def test_every_event_fits_its_schema_and_each_run_ends_once(produced: dict[str, list[dict[str, Any]]]) -> None:
    for name, events in produced.items():
        assert [problem for event in events for problem in wrong_with(event)] == [], name
        flow = "workflow_run_id" in events[-1]
        last = ("workflow_finished",) if flow else ("message_end", "error")
        assert [event["event"] for event in events if event["event"] in last] == [events[-1]["event"]], name


def test_the_judge_refuses_an_event_that_is_not_declared() -> None:
    assert wrong_with({"event": "workflow_failed"}) == ["the contract knows no event 'workflow_failed'"]


def test_a_run_that_was_begun_again_ends_with_the_whole_text(produced: dict[str, list[dict[str, Any]]]) -> None:
    events = produced["a run that was begun again after a kill"]
    replaced = next(i for i, event in enumerate(events) if event["event"] == "text_replace")
    chunks = [event["data"]["text"] for event in events[replaced:] if event["event"] == "text_chunk"]
    text = events[replaced]["data"]["text"] + "".join(chunks)
    assert text == events[-1]["data"]["outputs"]["text"] == "".join(f"w{index} " for index in range(20))
