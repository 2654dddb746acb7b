"""Definitions as old exports wrote them, each with one of their habits: what the import says, and what a run gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

TEXT = {"variable": "text", "label": "Text", "type": "text-input", "required": False}
MODEL = {"provider": "", "name": "gpt-3.5-turbo", "mode": "chat", "completion_params": {}}


@dataclass
class Old:
    """``told`` are parts of the warnings beside the one about the version; ``error`` is of a run that fails."""

    document: dict[str, Any]
    told: tuple[str, ...] = ()
    outputs: dict[str, Any] | None = None
    error: str = ""
    inputs: dict[str, Any] = field(default_factory=lambda: {"text": "bee"})


def node(name: Any, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": name, "type": "custom", "data": {"type": kind, "title": str(name), **data}}


def flow(
    *nodes: dict[str, Any], edges: list[Any] | None = None, output: list[Any] | None = None, **top: Any
) -> dict[str, Any]:
    """start → the nodes in a row → end, unless edges are given."""
    outputs = [{"variable": "out", "value_selector": output}] if output else []
    all_nodes = [node("start", "start", variables=[TEXT]), *nodes, node("end", "end", outputs=outputs)]
    if edges is None:
        names = [one["id"] for one in all_nodes if "inside" not in one]
        edges = [{"source": one, "target": other} for one, other in pairwise(names)]
    app = {"name": "Old", "mode": "workflow"}
    whole = {"version": "0.1.2", "kind": "app", "app": app, "workflow": {"graph": {"nodes": all_nodes, "edges": edges}}}
    return {**whole, **top}


def join(*pairs: str) -> list[dict[str, str]]:
    """Edges written as ``a>b`` or ``a:handle>b``."""
    made = []
    for pair in pairs:
        source, _, target = pair.partition(">")
        source, _, handle = source.partition(":")
        made.append({"source": source, "target": target, "sourceHandle": handle or "source"})
    return made


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def shout(name: Any = "shout", source: tuple[Any, str] = ("start", "text"), **data: Any) -> dict[str, Any]:
    variables = [{"variable": "v", "value_selector": list(source)}]
    return node(name, "template-transform", template="{{ v }}!", variables=variables, **data)


def words() -> dict[str, Any]:
    return node(
        "words", "code", code_language="python3", code="def main(): return {'list': ['a', 'b']}", variables=[],
        outputs={"list": {"type": "array[string]", "children": None}},
    )  # fmt: skip


def tool(**data: Any) -> dict[str, Any]:
    return node(
        "sum", "tool", provider_id="maths", provider_name="maths", provider_type="builtin",
        tool_name="eval_expression", tool_label="Sum", **data,
    )  # fmt: skip


CONDITION = {"variable_selector": ["start", "text"], "comparison_operator": "contains", "value": "b"}
PLAIN = flow(shout(), output=["shout", "output"])
ITERATION = [
    words(),
    node(
        "it",
        "iteration",
        iterator_selector=["words", "list"],
        output_selector=["inner", "output"],
        start_node_id="inner",
    ),
    shout("inner", ("it", "item"), isInIteration=True, iteration_id="it"),
]
LOOP = [
    node("it", "loop", loop_count=2, break_conditions=[], logical_operator="and"),
    shout("inner", isInLoop=True, loop_id="it"),
]
SIX = {"expression": "1+2+3"}

OLD: dict[str, Old] = {
    "an old version": Old(PLAIN, outputs={"out": "bee!"}),
    "no version": Old(without(PLAIN, "version"), ("No version was given",), {"out": "bee!"}),
    "no kind": Old(without(PLAIN, "kind"), ("No kind was given; read as 'app'.",), {"out": "bee!"}),
    "another kind": Old({**PLAIN, "kind": "workflow"}, ("The kind was 'workflow'; read as 'app'.",), {"out": "bee!"}),
    "an iteration without a start node": Old(
        flow(*ITERATION, output=["it", "output"], edges=join("start>words", "words>it", "it>end")),
        ("The iteration 'it' had no start node; one was added.",),
        {"out": ["a!", "b!"]},
    ),
    "a loop without a start node": Old(
        flow(*LOOP, output=["it", "loop_round"], edges=join("start>it", "it>end")),
        ("The loop 'it' had no start node; one was added.",),
        {"out": 2},
    ),
    "tool parameters as bare text": Old(
        flow(tool(tool_parameters=SIX), output=["sum", "text"]),
        ("The tool parameter 'expression' of the node 'sum' was a bare value; it was read as text.",),
        {"out": "6"},
    ),
    "tool parameters among the settings": Old(
        flow(tool(tool_configurations={"expression": {"type": "mixed", "value": "1+2+3"}}), output=["sum", "text"]),
        ("The setting 'expression' of the node 'sum' was read as a tool parameter.",),
        {"out": "6"},
    ),
    "edges to nowhere": Old(
        {**PLAIN, "workflow": {"graph": {**PLAIN["workflow"]["graph"], "edges": [
            *PLAIN["workflow"]["graph"]["edges"], *join("shout>gone", "lost>end"), {"target": "end"}]}}},
        ("[2] refers to the missing node 'gone'", "[3] refers to the missing node 'lost'", "[4] names no source"),
        {"out": "bee!"},
    ),
    "an unknown node that is not reached": Old(
        flow(node("way", "if-else", cases=[{"case_id": "true", "logical_operator": "and", "conditions": [CONDITION]}]),
             shout(), node("warp", "teleporter"),
             edges=join("start>way", "way:true>shout", "way:false>warp", "shout>end", "warp>end"),
             output=["shout", "output"]),
        ("The type 'teleporter' of the node 'warp' is not known here: the node fails when it is reached.",),
        {"out": "bee!"},
    ),
    "an unknown node that is reached": Old(
        flow(node("warp", "teleporter")),
        ("The type 'teleporter' of the node 'warp' is not known here: the node fails when it is reached.",),
        error="Nodes of type 'teleporter' cannot run on this server",
    ),
    "one condition without a case": Old(
        flow(node("way", "if-else", logical_operator="and", conditions=[CONDITION]), shout(),
             edges=join("start>way", "way:true>shout", "shout>end"), output=["shout", "output"]),
        ("The conditions of the node 'way' were read as its case 'true'.",),
        {"out": "bee!"},
    ),
    "an aggregator called assigner": Old(
        flow(node("either", "variable-assigner", output_type="string", variables=[["gone", "x"], ["start", "text"]]),
             output=["either", "output"]),
        ("The node 'either' refers to 'gone.x', which this app does not have.",),
        {"out": "bee"},
    ),
    "numbers for ids": Old(
        flow(shout(1711, ("start", "text")),
             edges=[{"source": "start", "target": 1711}, {"source": 1711, "target": "end"}], output=[1711, "output"]),
        ("The ids of nodes were numbers; they were read as text.",),
        outputs={"out": "bee!"},
    ),
    "a null title and a number for a version": Old(
        flow(shout(title=None, desc=None, version=1, error_strategy="", retry_config=None), output=["shout", "output"]),
        outputs={"out": "bee!"},
    ),
    "a model without a provider, context or configs": Old(
        flow(node("llm", "llm", model=MODEL, prompt_template=[{"role": "user", "text": "{{#start.text#}}"}],
                  memory=None, variables=[], vision={"enabled": False}), output=["llm", "text"]),
        outputs={"out": "echo: bee"},
    ),
    "a completion model's one prompt": Old(
        flow(node("llm", "llm", model={**MODEL, "mode": "completion"}, prompt_template={"text": "{{#start.text#}}"},
                  variables=[], context={"enabled": False, "variable_selector": []}, vision={"enabled": False}),
             output=["llm", "text"]),
        outputs={"out": "echo: bee"},
    ),
    "a classifier with a selector and topics": Old(
        flow(node("sort", "question-classifier", model=MODEL, query_variable_selector=["start", "text"], topics=[],
                  classes=[{"id": "1", "name": "bee"}, {"id": "2", "name": "cow"}], instruction=""),
             edges=join("start>sort", "sort:1>end", "sort:2>end"), output=["sort", "class_name"]),
        outputs={"out": "bee"},
    ),
    "an extractor of booleans": Old(
        flow(node("take", "parameter-extractor", model=MODEL, query=["start", "text"], reasoning_mode="prompt",
                  parameters=[{"name": "sure", "type": "bool", "description": "", "required": False}]),
             output=["take", "__is_success"]),
        outputs={"out": 1},
    ),
    "a request whose body is text": Old(
        flow(node("call", "http-request", method="post", url="http://127.0.0.1:9/", headers="", params="",
                  authorization={"type": "no-auth", "config": None}, body={"type": "json", "data": '{"a": 1}'},
                  timeout={"max_connect_timeout": 0})),
        error="loopback address",
    ),
    "a strategy and attempts that are none": Old(
        flow(shout(error_strategy="none", default_value=None, retry_config={"retry_enabled": True, "max_retries": ""}),
             output=["shout", "output"]),
        outputs={"out": "bee!"},
    ),
    "a strategy that nobody knows": Old(
        flow(shout(error_strategy="ignore"), output=["shout", "output"]),
        ("The node 'shout' has an unknown error strategy, 'ignore'; it has none now.",),
        {"out": "bee!"},
    ),
    "success by the name of a branch": Old(
        flow(shout(error_strategy="fail-branch"), edges=join("start>shout", "shout:success-branch>end"),
             output=["shout", "output"]),
        outputs={"out": "bee!"},
    ),
    "the branch of a failure that is not expected any more": Old(
        flow(shout(), shout("failed"), edges=join("start>shout", "shout>end", "shout:fail-branch>failed", "failed>end"),
             output=["failed", "output"]),
        ("workflow.graph.edges[2] is the fail branch of 'shout', which has none any more; it was left out.",),
        {"out": None},
    ),
    "default values for a branch": Old(
        flow(node("way", "if-else", error_strategy="default-value", default_value=[],
                  cases=[{"case_id": "true", "logical_operator": "and", "conditions": [CONDITION]}]),
             edges=join("start>way", "way:true>end"), output=["way", "result"]),
        ("The node 'way' decides on a branch, so default values were left out.",),
        {"out": True},
    ),
    "an output of no type, and parts that are null": Old(
        flow(node("shout", "template-transform", template=None, variables=None),
             node("words", "code", code_language="python3", code="def main(): return {}", variables=None, outputs=None),
             node("last", "end", outputs=[{"variable": "out", "value_type": "", "value_selector": ["start", "text"]}])),
        outputs={"out": "bee"},
    ),
    "groups of a type for the editor": Old(
        flow(node("either", "variable-aggregator", variables=[], advanced_settings={
                "group_enabled": True, "groups": [{"group_name": "one", "output_type": "any",
                                                   "variables": [["start", "text"]]}]}),
             output=["either", "one", "output"]),
        outputs={"out": "bee"},
    ),
    "a form of lines": Old(
        flow(node("call", "http-request", method="POST", url="http://127.0.0.1:9/", headers=None, params=None,
                  body={"type": "form-data", "data": "a:1\nb: 2"}, timeout={"connect": 0.5, "read": ""})),
        ("The body of the node 'call' was lines of text; each was read as a field of the form.",),
        error="loopback address",
    ),
    "variables whose values are text": Old(
        {**flow(output=["env", "number"]), "workflow": {
            "graph": flow(output=["env", "list"])["workflow"]["graph"],
            "environment_variables": [
                {"name": "list", "value_type": "array[number]", "value": "[1, 2.5]"},
                {"name": "number", "value_type": "number", "value": "many"},
            ]}},
        ("The variable 'number' of type number is empty at first: 'many' is no number.",),
        {"out": [1, 2.5]},
    ),
    "edges past a container": Old(
        flow(*ITERATION, output=["it", "output"], edges=join("start>words", "words>it", "it>end", "inner>end",
                                                             "words>inner")),
        ("The edge from 'inner' to 'end' leads out of 'it', past the container; it was left out.",
         "The edge from 'words' to 'inner' leads into 'it', past the container; it was left out.",
         "The iteration 'it' had no start node; one was added."),
        {"out": ["a!", "b!"]},
    ),
    "a node in a container that is gone": Old(
        flow(shout(isInLoop=True, loop_id="gone"), output=["shout", "output"]),
        ("The node 'shout' is in 'gone', which is no container; it was taken out.",),
        {"out": "bee!"},
    ),
    "containers that are in each other": Old(
        flow(shout(), {**node("one", "iteration"), "parentId": "two"}, {**node("two", "loop"), "parentId": "one"},
             edges=join("start>shout", "shout>end"), output=["shout", "output"]),
        ("The container 'one' is inside itself; it was taken out.",
         "The iteration 'one' had no start node; one was added."),
        {"out": "bee!"},
    ),
    "forgotten nodes that lead into the flow": Old(
        flow(shout(), shout("left"), shout("over"), output=["shout", "output"],
             edges=join("start>shout", "shout>end", "left>over", "over>left", "over>end")),
        ("The nodes left → over → left form a circle: if the start leads there, every run fails.",),
        {"out": "bee!"},
    ),
    "a circle": Old(
        flow(shout(), shout("again"), edges=join("start>shout", "shout>again", "again>shout", "again>end")),
        ("The nodes shout → again → shout form a circle: if the start leads there, every run fails.",),
        error="the graph contains a cycle: shout -> again -> shout",
    ),
    "references to what is not there": Old(
        flow(node("told", "template-transform", template="{{ a }}|{{ b }}", variables=[
                {"variable": "a", "value_selector": ["start", "gone"]},
                {"variable": "b", "value_selector": ["env", "GONE"]}]),
             node("off", "variable-aggregator", variables=[["start", "text"]], context={
                "enabled": False, "variable_selector": ["gone", "x"]}),
             output=["off", "output"]),
        ("The node 'told' refers to 'start.gone', 'env.GONE', which this app does not have.",),
        {"out": "bee"},
    ),
}  # fmt: skip
