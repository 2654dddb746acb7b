"""What a client can make of a run's events, and what must hold for them however often a process was lost."""

from __future__ import annotations

import itertools
from typing import Any

from tests.engine.graphs import document, edge, end, llm, node, template
from tests.journeys.events import Event


def _inner(kind: dict[str, Any], container: str, word: str) -> dict[str, Any]:
    kind["parentId"] = container
    kind["data"] |= {f"{word}_id": container, f"isIn{word.title()}": True}
    return kind


def story(mode: str, delay_ms: int = 30) -> dict[str, Any]:
    """start → code → iteration over its list → loop → model → template → the end: each step takes some time."""
    numbers = {
        "code": "def main():\n    return {'items': ['a', 'b', 'c']}",
        "code_language": "python3",
        "outputs": {"items": {"type": "array[string]", "children": None}},
        "variables": [],
    }
    each = node(
        "each", "iteration", start_node_id="each-start", iterator_selector=["code", "items"],
        output_selector=["say", "text"], output_type="array[string]",
    )  # fmt: skip
    again = node(
        "again", "loop", start_node_id="again-start", loop_count=2, break_conditions=[], loop_variables=[],
        logical_operator="and",
    )  # fmt: skip
    nodes = [
        node("start", "start", variables=[]),
        node("code", "code", **numbers),
        each,
        node("each-start", "iteration-start", "each", iteration_id="each", isInIteration=True),
        _inner(llm("say", "{{#each.item#}}", delay_ms=delay_ms, answer="{query}"), "each", "iteration"),
        again,
        node("again-start", "loop-start", "again", loop_id="again", isInLoop=True),
        _inner(llm("round", "x", delay_ms=delay_ms), "again", "loop"),
        llm("llm", "go", delay_ms=delay_ms, chunks=4),
        template("join", "{{ a | join('-') }}", a=["each", "output"]),
    ]
    chain = ["start", "code", "each", "again", "llm", "join"]
    edges = [edge(a, b) for a, b in itertools.pairwise(chain)] + [
        edge("each-start", "say"),
        edge("again-start", "round"),
    ]
    if mode == "workflow":
        last = end(text=["llm", "text"], joined=["join", "output"])
        return document([*nodes, last], [*edges, edge("join", "end")])
    nodes.append(node("answer", "answer", answer="{{#llm.text#}}/{{#join.output#}}"))
    return document(nodes, [*edges, edge("join", "answer")], mode)


def branches() -> dict[str, Any]:
    """start → two models beside each other → template → end."""
    both = template("both", "{{ a }}|{{ b }}", a=["one", "text"], b=["two", "text"])
    nodes = [
        node("start", "start", variables=[]), llm("one", "go", delay_ms=40, chunks=5),
        llm("two", "go", delay_ms=25, chunks=9), both, end(result=["both", "output"]),
    ]  # fmt: skip
    edges = [edge("start", "one"), edge("start", "two"), edge("one", "both"), edge("two", "both"), edge("both", "end")]
    return document(nodes, edges)


def text_of(events: list[Event]) -> str:
    """The text that a client shows after these events."""
    text = ""
    for event in events:
        match event.data["event"]:
            case "message" | "agent_message":
                text += event.data["answer"]
            case "message_replace":
                text = event.data["answer"]
            case "text_chunk":
                text += event.data["data"]["text"]
            case "text_replace":
                text = event.data["data"]["text"]
    return text


def check_whole(events: list[Event]) -> None:
    """What holds for all events of a run, from its first to its last, whatever happened to its processes."""
    assert [int(event.id) for event in events] == list(range(1, len(events) + 1)), "a gap or a repeat"
    names = [event.data["event"] for event in events]
    assert names[0] == "workflow_started"
    assert names[-1] == "workflow_finished"
    assert names.count("workflow_finished") == 1
    started = [e.data["data"]["id"] for e in events if e.data["event"] == "node_started"]
    finished = [e.data["data"]["id"] for e in events if e.data["event"] == "node_finished"]
    assert len(set(started)) == len(started)
    assert sorted(started) == sorted(finished), "each node that was started is told as finished, once"
    assert len({e.data["task_id"] for e in events}) == 1
    for kind in ("iteration", "loop"):
        opened = 0
        for name in names:
            opened += (name == f"{kind}_started") - (name == f"{kind}_completed")
            assert opened in (0, 1), f"{kind}: it begins again only after it was told as over"
        assert opened == 0 or events[-1].data["data"]["status"] == "failed"
    result = events[-1].data["data"]
    if result["status"] == "failed":
        assert result["error"].startswith("worker_lost: "), result["error"]
    else:
        assert result["status"] == "succeeded"
    if events[-1].data.get("message_id"):
        assert text_of(events) == result["outputs"].get("answer", ""), "the text so far and after"
