"""The graph of a workflow: what must be there, and the order in which its quirks are mended."""

from __future__ import annotations

from typing import Any

from engine.definition.adapt import node_data, selectors
from engine.definition.adapt_graph import containers, tidy_edges
from engine.definition.adapt_inputs import start_variables
from engine.definition.error import DefinitionError, Path, Problem
from engine.definition.graph_scopes import settle, within
from engine.definition.graph_warnings import circle
from engine.definition.yaml_caps import check_json, is_small_json
from engine.inputs import object_schema
from engine.inputs.variables import TYPES, schema_object

# What `engine.nodes.kinds` can make; said again here, because reading a definition must not load the engine.
NODE_TYPES = {
    "agent", "answer", "assigner", "code", "document-extractor", "easy-agent", "easy-knowledge", "end", "http-request",
    "human-input", "if-else", "iteration", "iteration-start", "knowledge-retrieval", "list-operator", "llm", "loop",
    "loop-end", "loop-start", "parameter-extractor", "question-classifier", "start", "template-transform", "tool",
    "variable-aggregator", "variable-assigner",
}  # fmt: skip
MOST_VARIABLES, _LONGEST_NAME = 1000, 255  # the contract's bounds
_NODES: Path = ("workflow", "graph", "nodes")


def graph(value: Any, warnings: list[str]) -> dict[str, Any]:
    """The normalised ``{nodes, edges}``.

    Raises Problem when no run could begin; what can be mended is told in ``warnings``.
    """
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list) or not value["nodes"]:
        raise Problem("The workflow has no nodes", *_NODES)
    edges = value.get("edges") or []
    if not isinstance(edges, list):
        raise Problem("This must be a list", "workflow", "graph", "edges")
    nodes = _nodes(value["nodes"], warnings)
    settle(nodes, NODE_TYPES, warnings)
    kept = within(tidy_edges(edges, _data(nodes), warnings), nodes, warnings)
    containers(nodes, kept, warnings)
    kept = tidy_edges(kept, _data(nodes), warnings)
    warnings += circle(kept)
    return {"nodes": nodes, "edges": kept}


def _data(nodes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node["data"] for node in nodes}


def _nodes(values: list[Any], warnings: list[str]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    numbers = {value["id"] for value in values if isinstance(value, dict) and type(value.get("id")) is int}
    if numbers:
        warnings.append("The ids of nodes were numbers; they were read as text.")
        values = [
            {**value, "data": selectors(value["data"], numbers)}
            if isinstance(value, dict) and "data" in value
            else value
            for value in values
        ]
    ids: set[str] = set()
    starts = triggers = 0
    for index, value in enumerate(values):
        at = (*_NODES, index)
        node = _node(value, at, warnings)
        if node is None:
            continue
        if node["id"] in ids:
            raise Problem(f"The node id '{node['id']}' is given twice", *at, "id")
        ids.add(node["id"])
        kind = node["data"]["type"]
        node_data(node, warnings)
        if kind == "start":
            starts += 1
            _start(node["data"], (*at, "data", "variables"), warnings)
        elif kind == "datasource" or kind.startswith("trigger-"):
            triggers += 1
        elif kind not in NODE_TYPES:
            warnings.append(
                f"The type '{kind[:40]}' of the node '{node['id']}' is not known here: "
                "the node fails when it is reached."
            )
        nodes.append(node)
    if not starts and not triggers:
        raise Problem("The workflow has no start node", *_NODES)
    if not starts:
        warnings.append("The workflow begins with a trigger, not a start node; it cannot be run through this API.")
    if starts > 1:
        warnings.append("The workflow has more than one start node; runs begin at the first.")
    return nodes


def _node(value: Any, at: Path, warnings: list[str]) -> dict[str, Any] | None:
    """One node with a text id, or None for what is no node: a note, or an entry with an empty type."""
    if not isinstance(value, dict):
        raise Problem("A node must be a mapping", *at)
    if value.get("type") == "custom-note":
        return None
    data = value.get("data")
    if not isinstance(data, dict):
        raise Problem("The node has no data", *at, "data")
    if data.get("type") == "":
        warnings.append(f"The node '{value.get('id')}' has an empty type; it was left out.")
        return None
    if not isinstance(data.get("type"), str):
        raise Problem("The node has no type", *at, "data", "type")
    name = value.get("id")
    if name is None or name == "" or not isinstance(name, str | int) or isinstance(name, bool):
        raise Problem("The node has no id", *at, "id")
    node = {**value, "id": str(name), "data": dict(data)}
    if node.get("parentId") is not None:
        node["parentId"] = str(node["parentId"])
    return node


def _start(data: dict[str, Any], at: Path, warnings: list[str]) -> None:
    variables = data.get("variables") or []
    if not isinstance(variables, list):
        raise Problem("This must be a list", *at)
    if len(variables) > MOST_VARIABLES:
        raise Problem(f"There are more than {MOST_VARIABLES} variables", *at)
    seen: set[str] = set()
    for index, item in enumerate(variables):
        if isinstance(item, dict) and item.get("type") in (None, ""):
            item["type"] = "text-input"
            warnings.append(f"The variable '{item.get('variable')}' had no type; read as 'text-input'.")
        input_variable(item.get("type") if isinstance(item, dict) else None, item, seen, warnings, (*at, index))
    data["variables"] = variables
    start_variables(data)


def input_variable(kind: Any, item: Any, seen: set[str], warnings: list[str], at: Path) -> None:
    """Check one declared input, of a start node or of ``user_input_form``. Raises Problem at ``at``."""
    if not isinstance(item, dict):
        raise Problem("A variable must be a mapping", *at)
    name = item.get("variable")
    if not isinstance(name, str) or not name:
        raise Problem("A variable needs a name", *at, "variable")
    if len(name) > _LONGEST_NAME:
        raise Problem(f"The name of a variable is longer than {_LONGEST_NAME} characters", *at, "variable")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Problem(f"'{str(kind)[:40]}' is not a type of variable", *at, "type")
    if name in seen:
        warnings.append(f"The variable '{name}' is declared twice; the last one counts.")
    seen.add(name)
    stored = item.get("json_schema")
    if kind != "json_object" or stored in (None, "", {}):
        return
    schema = schema_object(stored) if not isinstance(stored, str) or is_small_json(stored) else None
    if schema is None:
        raise Problem("json_schema must be a JSON object", *at, "json_schema")
    try:
        check_json(schema)
    except DefinitionError as error:
        raise Problem(error.message, *at, "json_schema") from None
    reason = object_schema.problem(schema)
    if reason is not None:
        raise Problem(f"Invalid JSON schema: {reason[:200]}", *at, "json_schema")
