"""From a definition's text to the document that runs."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition.graph_document import NODE_TYPES
from engine.definition.reading import DefinitionError, load
from engine.nodes.kinds import KINDS
from tests.definitions import EXAMPLES, HERE, MORE


def workflow(nodes: list[Any] | None = None, edges: list[Any] | None = None, **top: Any) -> dict[str, Any]:
    """A small valid workflow definition; ``top`` replaces top-level members."""
    nodes = [node("s", type="start"), node("e", type="end", outputs=[])] if nodes is None else nodes
    graph = {"nodes": nodes, "edges": [{"source": "s", "target": "e"}] if edges is None else edges}
    app = {"name": "N", "mode": "workflow"}
    return {"version": "0.6.0", "kind": "app", "app": app, "workflow": {"graph": graph}, **top}


def node(name: Any, parent: str | None = None, **data: Any) -> dict[str, Any]:
    """One node."""
    return {"id": name, "type": "custom", "data": data, **({"parentId": parent} if parent else {})}


def loaded(value: Any) -> Any:
    """Load a definition given as plain values."""
    return load(json.dumps(value))


def refused(value: Any) -> DefinitionError:
    """The error a definition is refused with."""
    with pytest.raises(DefinitionError) as caught:
        loaded(value)
    return caught.value


def test_the_definitions_at_hand_have_every_mode_every_node_type_and_old_and_new_versions() -> None:
    found = [load(file.read_bytes()) for file in HERE]
    assert {one.mode for one in found} == {"workflow", "advanced-chat", "chat", "completion", "agent-chat"}
    kinds = {n["data"]["type"] for one in found for n in one.document.get("graph", {}).get("nodes", [])}
    assert kinds == {str(kind) for kind in KINDS} - {"easy-agent", "easy-knowledge"}  # these no definition names
    assert len({one.version for one in found}) >= 8


def test_every_definition_imports() -> None:
    for file in [*HERE, *EXAMPLES, *MORE]:
        definition = load(file.read_bytes())
        assert definition.document["mode"] == definition.mode
        assert json.loads(json.dumps(definition.document)) == definition.document
        graph = definition.document.get("graph", {"nodes": [], "edges": []})
        ids = [n["id"] for n in graph["nodes"]]
        edges = graph["edges"]
        assert all(edge["source"] in ids and edge["target"] in ids for edge in edges), file.name
        assert len({edge["id"] for edge in edges}) == len(edges), file.name


def test_the_document_of_a_workflow_has_exactly_these_members() -> None:
    document = loaded(workflow()).document
    assert list(document) == ["mode", "graph", "features", "environment_variables", "conversation_variables"]
    assert list(document["graph"]) == ["nodes", "edges"]
    assert document["graph"]["edges"] == [{"source": "s", "target": "e", "sourceHandle": "source", "id": "s-source-e"}]


def test_the_document_of_a_chat_app_has_exactly_these_members() -> None:
    value = {
        "version": "0.6.0",
        "kind": "app",
        "app": {"name": "N", "mode": "chat"},
        "model_config": {"x": 1},
    }
    assert loaded(value).document == {"mode": "chat", "model_config": {"x": 1, "user_input_form": []}}


def test_a_current_definition_imports_without_warnings() -> None:
    assert loaded(workflow()).warnings == []


@pytest.mark.parametrize(
    ("change", "message", "key"),
    [
        ({"app": None}, "Missing app data in YAML content", "app"),
        ({"app": {"name": "N"}}, "loss app mode", "app.mode"),
        ({"app": {"mode": "agent"}}, "'agent' is not a valid AppMode", "app.mode"),
        ({"app": {"mode": ["chat"]}}, "is not a valid AppMode", "app.mode"),
        ({"workflow": None}, "Missing workflow data for workflow/advanced chat app", "workflow"),
        (
            {"app": {"mode": "completion"}},
            "Missing model_config for chat/agent-chat/completion app",
            "model_config",
        ),
        ({"version": 0.6}, "must be text in quotes", "version"),
        ({"version": "six"}, "'six' is not a version", "version"),
        ({"app": {"mode": "workflow", "name": "x" * 256}}, "longer than 255", "app.name"),
        ({"workflow": {"graph": {}}}, "no nodes", "workflow.graph.nodes"),
        ({"workflow": {"graph": {"nodes": "x"}}}, "no nodes", "workflow.graph.nodes"),
    ],
)
def test_a_broken_envelope_is_refused_with_its_key(change: dict[str, Any], message: str, key: str) -> None:
    error = refused({**workflow(), **change})
    assert message in error.message
    assert error.key == key


@pytest.mark.parametrize(
    ("nodes", "message", "key"),
    [
        ([node("e", type="end")], "no start node", "workflow.graph.nodes"),
        ([node("s", type="start"), "x"], "must be a mapping", "workflow.graph.nodes[1]"),
        ([node("s", type="start"), {"id": "a"}], "no data", "workflow.graph.nodes[1].data"),
        ([node("s", type="start"), node("a", title="x")], "no type", "workflow.graph.nodes[1].data.type"),
        ([node("s", type="start"), node("", type="end")], "no id", "workflow.graph.nodes[1].id"),
        (
            [node("s", type="start"), node("s", type="end")],
            "'s' is given twice",
            "workflow.graph.nodes[1].id",
        ),
        ([node("s", type="start"), node(["s"], type="end")], "no id", "workflow.graph.nodes[1].id"),
        (
            [node("s", type="start"), *(node(f"l{n}", f"l{n - 1}" if n else None, type="loop") for n in range(22))],
            "nested more than 20 levels deep",
            "workflow.graph.nodes",
        ),
    ],
)
def test_a_broken_graph_is_refused_with_its_key(nodes: list[Any], message: str, key: str) -> None:
    error = refused(workflow(nodes, []))
    assert message in error.message
    assert error.key == key


def test_the_line_of_the_problem_is_named_for_yaml() -> None:
    text = "version: '0.6.0'\nkind: app\napp:\n  name: N\n  mode: nonsense\n"
    with pytest.raises(DefinitionError) as caught:
        load(text)
    assert caught.value.line == 5
    assert str(caught.value) == "'nonsense' is not a valid AppMode (app.mode, line 5)"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"version": "0.1.2"}, "older"),
        ({"version": "0.7.0"}, "newer"),
        ({"version": "0.6.1"}, "newer"),
        ({"version": "99.0.0"}, "newer"),
        ({"kind": "plugin"}, "plugin"),
    ],
)
def test_other_versions_and_kinds_import_with_a_warning(change: dict[str, Any], word: str) -> None:
    (warning,) = loaded({**workflow(), **change}).warnings
    assert word in warning


def test_a_definition_without_version_and_kind_counts_as_the_oldest() -> None:
    value = workflow()
    del value["version"], value["kind"]
    definition = loaded(value)
    assert definition.version == "0.1.0"
    assert len(definition.warnings) == 2


def test_an_unknown_node_type_is_kept_for_the_run_to_decide() -> None:
    document = loaded(workflow([node("s", type="start"), node("x", type="knowledge-graph-9")])).document
    assert document["graph"]["nodes"][1]["data"]["type"] == "knowledge-graph-9"


def test_notes_and_nodes_of_empty_type_are_left_out() -> None:
    note = {"id": "n", "type": "custom-note", "data": {"type": "", "text": "remember"}}
    definition = loaded(workflow([note, node("s", type="start"), node("x", type="")], []))
    assert [n["id"] for n in definition.document["graph"]["nodes"]] == ["s"]


def test_an_edge_to_nowhere_is_left_out_with_a_warning() -> None:
    definition = loaded(workflow(edges=[{"source": "s", "target": "gone"}, {"source": "s"}, 7]))
    assert definition.document["graph"]["edges"] == []
    assert "missing node 'gone'" in definition.warnings[0]
    assert len(definition.warnings) == 3


def test_edges_have_ids_of_their_own_and_joins_are_not_repeated() -> None:
    edges = [
        {"id": "x", "source": "s", "target": "e"},
        {"id": "x", "source": "s", "target": "e", "sourceHandle": True},
        {"id": "y", "source": "s", "target": "e"},
    ]
    found = loaded(workflow(edges=edges)).document["graph"]["edges"]
    assert [(edge["id"], edge["sourceHandle"]) for edge in found] == [("x", "source"), ("x-2", "true")]


def test_numeric_node_ids_become_text_everywhere() -> None:
    nodes = [node(1, type="start"), node(2, type="end")]
    graph = loaded(workflow(nodes, [{"source": 1, "target": 2}])).document["graph"]
    assert [n["id"] for n in graph["nodes"]] == ["1", "2"]
    assert (graph["edges"][0]["source"], graph["edges"][0]["target"]) == ("1", "2")


@pytest.mark.parametrize("start", ["inner", "gone", None])
@pytest.mark.parametrize("kind", ["iteration", "loop"])
def test_a_container_without_a_start_node_gets_one(kind: str, start: str | None) -> None:
    nodes = [
        node("s", type="start"),
        node("box", type=kind, **({"start_node_id": start} if start else {})),
        node("inner", parent="box", type="template-transform"),
        node("last", parent="box", type="template-transform"),
    ]
    edges = [{"source": "s", "target": "box"}, {"source": "inner", "target": "last"}]
    definition = loaded(workflow(nodes, edges))
    found = {n["id"]: n for n in definition.document["graph"]["nodes"]}
    assert found["box"]["data"]["start_node_id"] == "boxstart"
    assert found["boxstart"]["data"]["type"] == f"{kind}-start"
    assert found["boxstart"]["parentId"] == "box"
    joins = {(edge["source"], edge["target"]) for edge in definition.document["graph"]["edges"]}
    assert ("boxstart", "inner") in joins
    assert any("had no start node" in warning for warning in definition.warnings)


def test_a_current_container_is_left_as_it_is() -> None:
    nodes = [
        node("s", type="start"),
        node("box", type="loop", start_node_id="b0"),
        node("b0", parent="box", type="loop-start"),
    ]
    assert len(loaded(workflow(nodes, [])).document["graph"]["nodes"]) == 3


def test_tool_parameters_are_brought_to_one_place_and_form() -> None:
    conf = {"a": {"type": "mixed", "value": "x"}, "b": {"type": "variable", "value": ["n", "v"]}, "c": 1}
    tool = node("t", type="tool", tool_configurations=conf, tool_parameters={"d": "bare", "e": 5})
    data = loaded(workflow([node("s", type="start"), tool], [])).document["graph"]["nodes"][1]["data"]
    assert data["tool_configurations"] == {"a": "x", "b": "{{#n.v#}}", "c": 1}
    assert data["tool_parameters"] == {
        "d": {"type": "mixed", "value": "bare"},
        "e": {"type": "constant", "value": 5},
        "a": {"type": "mixed", "value": "x"},
        "b": {"type": "variable", "value": ["n", "v"]},
    }


def test_empty_variables_get_the_empty_value_of_their_type() -> None:
    value = workflow()
    value["workflow"]["conversation_variables"] = [
        {"name": "a", "value_type": "array[string]", "value": ""},
        {"name": "n", "value_type": "number", "value": None},
        {"name": "s", "value_type": "string", "value": ""},
        {"name": "o", "value": {"x": 1}},
    ]
    found = loaded(value).document["conversation_variables"]
    assert [(v["value_type"], v["value"]) for v in found] == [
        ("array[string]", []), ("number", 0), ("string", ""), ("object", {"x": 1}),
    ]  # fmt: skip
    assert all(v["id"] and v["description"] == "" for v in found)


def test_a_variable_name_given_twice_is_refused() -> None:
    value = workflow()
    value["workflow"]["environment_variables"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    assert refused(value).key == "workflow.environment_variables[1].name"


VARIABLES = [{"name": f"V{number}", "value": "1"} for number in range(1001)]
SECRETS = [{"name": f"V{number}", "value_type": "secret", "value": "x" * 50_000} for number in range(5)]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (VARIABLES, "There are more than 1000 variables"),
        (SECRETS, "The secret values have more than 200000 characters"),
    ],
)
def test_more_variables_than_a_run_can_do_with_are_refused(variables: list[Any], message: str) -> None:
    value = workflow()
    value["workflow"]["environment_variables"] = variables
    error = refused(value)
    assert (error.message.startswith(message), error.key) == (True, "workflow.environment_variables")


def test_start_variables_come_out_as_the_engine_reads_them() -> None:
    variables = [
        {"variable": "a"},
        {"variable": "b", "type": "select", "options": [1, True], "max_length": "5", "required": "yes"},
    ]
    definition = loaded(workflow([node("s", type="start", variables=variables)], []))
    first, second = definition.document["graph"]["nodes"][0]["data"]["variables"]
    assert (first["type"], first["label"], first["required"]) == ("text-input", "a", False)
    assert (second["options"], second["max_length"], second["required"]) == (["1", "true"], 5, True)
    assert any("had no type" in warning for warning in definition.warnings)


@pytest.mark.parametrize(
    ("variable", "where"),
    [
        ("x", ""),
        ({"type": "text-input"}, ".variable"),
        ({"variable": "a", "type": "colour"}, ".type"),
        ({"variable": "a", "type": "json_object", "json_schema": "{"}, ".json_schema"),
        ({"variable": "a", "type": "json_object", "json_schema": {"type": "objekt"}}, ".json_schema"),
        (
            {"variable": "a", "type": "json_object", "json_schema": {"$ref": "http://127.0.0.1/x"}},
            ".json_schema",
        ),
        (
            {"variable": "a", "type": "json_object", "json_schema": {"items": {"$ref": "file:///etc"}}},
            ".json_schema",
        ),
        ({"variable": "a", "type": "json_object", "json_schema": {"$ref": "#/nowhere"}}, ".json_schema"),
    ],
)
def test_a_broken_start_variable_is_refused_with_its_key(variable: Any, where: str) -> None:
    error = refused(workflow([node("s", type="start", variables=[variable])], []))
    assert error.key == "workflow.graph.nodes[0].data.variables[0]" + where


@pytest.mark.parametrize("row", ["x", {}, {"a": 1, "b": 2}, {"text-input": {}}, {"colour": {"variable": "c"}}])
def test_a_broken_form_row_is_refused_with_its_key(row: Any) -> None:
    value = {**workflow(), "app": {"name": "N", "mode": "chat"}, "model_config": {"user_input_form": [row]}}
    assert refused(value).key.startswith("model_config.user_input_form[0]")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "s", "e", "start", "loop", "tool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["id", "data", "type", "variables", "start_node_id", "parentId", "source", "tool_parameters"]
    ), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from([
        ("app",), ("app", "icon"), ("workflow",), ("workflow", "graph"), ("workflow", "features"),
        ("workflow", "graph", "nodes"), ("workflow", "graph", "nodes", 0),
        ("workflow", "graph", "nodes", 1, "data"),
        ("workflow", "graph", "nodes", 0, "data", "variables"), ("workflow", "graph", "nodes", 1, "parentId"),
        ("workflow", "graph", "edges"), ("workflow", "graph", "edges", 0),
        ("workflow", "environment_variables"),
        ("version",), ("kind",),
    ]),
    damage=_JSON,
)  # fmt: skip
def test_damage_anywhere_is_either_mended_or_refused_by_name(path: tuple[Any, ...], damage: Any) -> None:
    value = copy.deepcopy(workflow())
    target: Any = value
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = damage
    try:
        document = loaded(value).document
    except DefinitionError:
        return
    json.dumps(document)


def test_the_types_known_at_import_are_those_that_run() -> None:
    assert {str(kind) for kind in KINDS} == NODE_TYPES
