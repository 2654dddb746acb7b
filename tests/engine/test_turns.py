"""Two questions of one conversation at the same time: answered one after the other, each knowing the one before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from engine import runs
from store import conversations
from store import events as stored
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.graphs import document, edge, llm, node
from tests.engine.test_easy_modes import answer, easy

SLOW = "[[echo {chunks: 30, delay_ms: 20}]]"


def flow() -> dict[str, Any]:
    """A chat that counts its questions in a conversation variable, slowly."""
    add = {"variable_selector": ["conversation", "asked"], "input_type": "constant", "operation": "+=", "value": 1}
    talk = llm("talk", delay_ms=5)
    talk["data"]["memory"] = {"window": {"enabled": False, "size": 50}, "query_prompt_template": "{{#sys.query#}}"}
    nodes = [
        node("begin", "start", variables=[]),
        talk,
        node("count", "assigner", version="2", items=[add]),
        node("say", "answer", answer="{{#conversation.asked#}} of {{#sys.dialogue_count#}}"),
    ]
    edges = [edge("begin", "talk"), edge("talk", "count"), edge("count", "say")]
    asked = {"id": "v", "name": "asked", "value_type": "number", "value": 0}
    return document(nodes, edges, "advanced-chat", conversation_variables=[asked])


def test_the_second_question_waits_for_the_first_answer_and_knows_it(bench: Bench, prompts: Any) -> None:
    app = bench.app(easy("chat"))
    first = bench.start(app, query=SLOW)
    second = bench.start(app, query="and then?", conversation_id=first.conversation_id)
    assert bench.stored(second).status == "queued"
    assert answer(bench.events(second)) == "echo: and then?"
    assert bench.stored(first).finished_at <= bench.stored(second).started_at
    assert [role for role, _ in prompts[1]] == ["user", "assistant", "user"]
    assert prompts[1][1][1].startswith("w0 w1")


def test_no_write_of_a_conversations_variables_is_lost(bench: Bench) -> None:
    app = bench.app(flow())
    first = bench.start(app, query="one")
    bench.events(first)
    others = [bench.start(app, query="more", conversation_id=first.conversation_id) for _ in range(5)]

    async def all_of_them() -> list[str]:
        async def one(run: Any) -> str:
            told = [json.loads(payload) async for _, payload in runs.follow(run.id)]
            return "".join(event["answer"] for event in told if event["event"] == "message")

        return list(await asyncio.gather(*map(one, others)))

    assert asyncio.run(all_of_them()) == [f"{n} of {n}" for n in range(2, 7)]
    assert conversations.variables(first.conversation_id or "") == {"asked": 6}


def test_a_question_that_waits_can_be_stopped_and_does_not_hold_up_others(
    bench: Bench, soon: Callable[..., Any]
) -> None:
    app = bench.app(easy("chat"))
    first = bench.start(app, query="[[echo {chunks: 400, delay_ms: 20}]]")
    soon(lambda: stored.last_seq(first.id) > 0)
    waiting = bench.start(app, query="and then?", conversation_id=first.conversation_id)
    elsewhere = bench.start(app, query="another conversation")
    assert answer(bench.events(elsewhere)) == "echo: another conversation"
    runs.stop(bench.stored(waiting))
    assert [event["event"] for event in bench.events(waiting)] == ["message_end"]
    assert bench.stored(waiting).status == "stopped"
    third = bench.start(app, query="third", conversation_id=first.conversation_id)
    runs.stop(bench.stored(first))
    assert answer(bench.events(third)) == "echo: third"


def test_only_so_many_questions_of_a_conversation_wait(bench: Bench) -> None:
    app = bench.app(easy("chat"))
    first = bench.start(app, query="[[echo {chunks: 400, delay_ms: 20}]]")
    waiting = [bench.start(app, query="q", conversation_id=first.conversation_id) for _ in range(7)]
    with pytest.raises(Refusal) as refused:
        bench.start(app, query="q", conversation_id=first.conversation_id)
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("too_many_requests", "5")
    # What was refused left nothing behind.
    assert conversations.message_count(first.conversation_id or "") == 8
    for run in [*waiting, first]:
        runs.stop(bench.stored(run))
