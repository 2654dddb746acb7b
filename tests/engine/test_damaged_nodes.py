"""Nodes with settings of every wrong kind: the import takes them, and a run that passes them by is none the worse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.definition.reading import load
from engine.nodes.kinds import KINDS
from tests.engine.conftest import Bench

MODEL = {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}}
TEXT = {"type": "constant", "value": "hi"}
GOOD: dict[str, dict[str, Any]] = {
    "answer": {"answer": "x"},
    "agent": {"agent_strategy_name": "react", "agent_parameters": {"model": {"value": MODEL}, "query": TEXT}},
    "assigner": {"version": "2", "items": [{"variable_selector": ["conversation", "v"], "operation": "clear"}]},
    "code": {"code": "x", "code_language": "python3", "variables": [], "outputs": {"r": {"type": "string"}}},
    "document-extractor": {"variable_selector": ["start", "f"]},
    "end": {"outputs": [{"variable": "o", "value_selector": ["start", "q"]}]},
    "http-request": {"method": "get", "url": "http://x", "authorization": {"type": "api-key", "config": {}},
                     "headers": "", "params": "", "body": {"type": "json", "data": []}, "timeout": {"connect": 1}},
    "human-input": {"form_content": "x", "inputs": [], "user_actions": [{"id": "a", "title": "A"}], "timeout": 1},
    "if-else": {"cases": [{"case_id": "1", "logical_operator": "and", "conditions": []}]},
    "iteration": {"iterator_selector": ["env", "l"], "output_selector": ["x", "y"], "parallel_nums": 2},
    "knowledge-retrieval": {"query_variable_selector": ["start", "q"], "dataset_ids": [], "retrieval_mode": "multiple",
                            "multiple_retrieval_config": {"top_k": 3}, "single_retrieval_config": {"model": MODEL}},
    "list-operator": {"variable": ["env", "l"], "filter_by": {"enabled": True, "conditions": []}, "limit": {}},
    "llm": {"model": MODEL, "prompt_template": [{"role": "user", "text": "x"}], "memory": {"window": {}}},
    "loop": {"loop_count": 2, "start_node_id": "x",
             "break_conditions": [], "logical_operator": "and", "loop_variables": []},
    "parameter-extractor": {"model": MODEL, "query": ["start", "q"], "parameters": [{"name": "p"}]},
    "question-classifier": {"model": MODEL, "query_variable_selector": ["start", "q"], "classes": [{"id": "1"}]},
    "template-transform": {"template": "x", "variables": []},
    "tool": {"provider_id": "p", "tool_name": "t", "tool_configurations": {}, "tool_parameters": {"a": TEXT}},
    "variable-aggregator": {"variables": [["start", "q"]], "advanced_settings": {"group_enabled": True, "groups": []}},
}  # fmt: skip
SHARED = {"retry_config": {"retry_enabled": True}, "error_strategy": "default-value", "default_value": [{"key": "k"}]}
JUNK: list[Any] = [
    None,
    "",
    "x",
    "{{#a.b#}}",
    0,
    -1,
    1.5,
    True,
    [],
    [None],
    [1],
    ["a"],
    [["a", "b"]],
    {},
    {"type": "x"},
]


def damaged(value: Any) -> list[Any]:
    """The value with each of its parts, and itself, as something else."""
    found = list(JUNK)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for other in damaged(part):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[key] = other
            found.append(copy)
    return found


@pytest.mark.parametrize("kind", GOOD)
def test_a_node_whose_settings_are_wrong_harms_no_run_that_does_not_come_to_it(bench: Bench, kind: str) -> None:
    nodes = [{"id": "start", "data": {"type": "start", "title": "s", "variables": []}}]
    whole = {**GOOD[kind], **SHARED}
    for key, value in whole.items():
        nodes += [{"data": {"title": "x", **whole, key: other, "type": kind}} for other in damaged(value)]
    nodes = [{**one, "id": one.get("id", f"n{number}")} for number, one in enumerate(nodes)]
    app = {"name": "N", "mode": "workflow"}
    text = json.dumps({"version": "0.6.0", "kind": "app", "app": app, "workflow": {"graph": {"nodes": nodes}}})
    last = bench.run(load(text).document)[-1]["data"]
    assert (last["status"], last["error"]) == ("succeeded", None)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("llm", {"memory": "x"}, "memory: Input should be an object"),
        ("loop", {"loop_variables": "x"}, "loop_variables: Input should be a list"),
        ("end", {"outputs": [{"variable": "o", "value_selector": "x"}]},
         "outputs.0.value_selector: Input should be a list"),
        ("if-else", {"cases": [{"case_id": "1", "conditions": [{
            "variable_selector": ["a", "b"], "comparison_operator": "is", "value": {}}]}]},
         "cases.0.conditions.0.value: Input should be a valid string"),
        ("http-request", {"authorization": {"type": "x"}},
         "authorization.type: Input should be 'no-auth' or 'api-key'"),
        ("code", {"outputs": {"r": {"type": "file"}}},
         "outputs.r.type: invalid type for code output, expected 'array[boolean]', 'array[number]', 'array[object]', "
         "'array[string]', 'boolean', 'number', 'object', 'string', actual file"),
    ],
)  # fmt: skip
def test_a_node_whose_settings_are_wrong_says_which_without_names_of_python(
    bench: Bench, kind: str, settings: dict[str, Any], message: str
) -> None:
    made = {"id": "it", "data": {"type": kind, "title": "x", **GOOD[kind], **settings}}
    nodes = [{"id": "start", "data": {"type": "start", "title": "s", "variables": []}}, made]
    graph = {"nodes": nodes, "edges": [{"source": "start", "target": "it"}]}
    app = {"name": "N", "mode": "workflow"}
    text = json.dumps({"version": "0.6.0", "kind": "app", "app": app, "workflow": {"graph": graph}})
    last = bench.run(load(text).document)[-1]["data"]
    assert last["error"] == f"The node is not complete: {message}"


def test_every_kind_of_node_that_an_author_can_draw_is_damaged() -> None:
    drawn = {str(kind) for kind in KINDS if not str(kind).endswith(("-start", "-end")) and "easy" not in str(kind)}
    assert drawn - {"start", "variable-assigner"} == set(GOOD)
