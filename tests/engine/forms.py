"""Short ways to write graphs that ask people, and to answer them."""

from __future__ import annotations

from typing import Any

from engine import runs
from store import forms
from tests.engine.graphs import document, edge, end, node, template

WEBAPP = {"id": "8f5c7a1e-0b34-4f0a-9d0b-1f6f4a0d7c11", "type": "webapp", "enabled": True, "config": {}}
ACTIONS = [
    {"id": "approve", "title": "Approve", "button_style": "primary"},
    {"id": "reject", "title": "Reject", "button_style": "default"},
]
COMMENT = {"type": "paragraph", "output_variable_name": "comment", "default": None}


def ask(node_id: str = "review", content: str = "Please check.", parent: str | None = None, **data: Any) -> Any:
    """A human-input node with a comment and two buttons, unless told otherwise."""
    shaped = {
        "form_content": content,
        "inputs": [COMMENT],
        "user_actions": ACTIONS,
        "timeout": 1,
        "timeout_unit": "hour",
        "delivery_methods": [WEBAPP],
        **data,
    }
    return node(node_id, "human-input", parent, **shaped)


def review(mode: str = "workflow", **data: Any) -> dict[str, Any]:
    """start → review → end, by either button; ``late`` by the timeout."""
    nodes = [
        node("start", "start", variables=[]),
        ask(**data),
        end(
            "done",
            comment=["review", "comment"],
            action=["review", "__action_id"],
            text=["review", "__rendered_content"],
        ),
        end("late", action=["review", "__action_id"], text=["review", "__rendered_content"]),
    ]
    edges = [
        edge("start", "review"),
        edge("review", "done", "approve"),
        edge("review", "done", "reject"),
        edge("review", "late", "__timeout"),
    ]
    return document(nodes, edges, mode)


def side_by_side() -> dict[str, Any]:
    """A form for each of two items, asked at the same time."""
    inside = {"isInIteration": True, "iteration_id": "again"}
    nodes = [
        node("start", "start", variables=[]),
        template("words", "a b"),
        node("split", "code", code_language="python3", outputs={"items": {"type": "array[string]"}},
             variables=[{"variable": "text", "value_selector": ["words", "output"]}],
             code="def main(text):\n    return {'items': text.split()}"),
        node("again", "iteration", iterator_selector=["split", "items"], output_selector=["review", "comment"],
             start_node_id="first", is_parallel=True, parallel_nums=2),
        node("first", "iteration-start", "again", **inside),
        ask(content="Item {{#again.item#}}", parent="again", **inside),
        end(result=["again", "output"]),
    ]  # fmt: skip
    edges = [edge("start", "words"), edge("words", "split"), edge("split", "again"), edge("first", "review"),
             edge("again", "end")]  # fmt: skip
    return document(nodes, edges)


def names(events: list[dict[str, Any]]) -> list[str]:
    """The events' names in order, with the node of those that have one."""
    return [f"{e['event']} {e['data']['node_id']}" if "node_id" in e.get("data", {}) else e["event"] for e in events]


def token_of(events: list[dict[str, Any]], node_id: str = "review") -> str:
    """The token of the newest form that a node asked."""
    asked = [e["data"] for e in events if e["event"] == "human_input_required" and e["data"]["node_id"] == node_id]
    return str(asked[-1]["form_token"])


def answer(token: str, action: str = "approve", **inputs: Any) -> None:
    """Answer a form as the API does."""
    from engine.forms import answering

    answering.submit(token, {"action": action, "inputs": inputs}, by="test")


def waiting(run_id: str) -> list[forms.Form]:
    """The forms of a run that wait."""
    return [form for form in forms.of_run(run_id) if form.is_waiting]


def machine() -> Any:
    """The machine in use."""
    return runs.machine()
