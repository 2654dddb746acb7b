"""The parameters and input_schema blocks of describe."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from engine.definition.reading import load
from engine.inputs.declared import check
from engine.inputs.parameters import DEFAULT_LIMITS, parameters
from engine.inputs.schema import input_schema
from store.refusal import Refusal
from tests.definitions import EXAMPLES, HERE, MORE

KEYS = [
    "opening_statement", "suggested_questions", "suggested_questions_after_answer", "speech_to_text",
    "text_to_speech", "retriever_resource", "annotation_reply", "more_like_this", "user_input_form",
    "sensitive_word_avoidance", "file_upload", "system_parameters",
]  # fmt: skip
IMAGE = {
    "enabled": False,
    "number_limits": 3,
    "detail": "high",
    "transfer_methods": ["remote_url", "local_file"],
}


def workflow(*declared: Any, mode: str = "workflow", **features: Any) -> dict[str, Any]:
    """A workflow document with these start variables and features."""
    node = {"id": "s", "data": {"type": "start", "variables": list(declared)}}
    return {"mode": mode, "graph": {"nodes": [node], "edges": []}, "features": features}


def chat(*rows: Any, mode: str = "chat", **config: Any) -> dict[str, Any]:
    """A chat document with these form rows."""
    return {"mode": mode, "model_config": {"user_input_form": list(rows), **config}}


@pytest.mark.parametrize("document", [None, workflow(), chat(), chat(mode="completion"), {}, {"mode": "chat"}])
def test_every_key_is_always_there_in_order(document: Any) -> None:
    assert list(parameters(document)) == KEYS


def test_the_defaults_are_those_clients_know() -> None:
    found = parameters(workflow())
    assert found["opening_statement"] is None
    assert found["suggested_questions"] == []
    assert found["retriever_resource"] == {"enabled": False}
    assert found["sensitive_word_avoidance"] == {"enabled": False, "type": "", "configs": []}
    assert found["file_upload"] == {"image": IMAGE}
    assert found["system_parameters"] == DEFAULT_LIMITS
    found = parameters(chat())
    assert found["retriever_resource"] == {"enabled": True}
    assert found["sensitive_word_avoidance"] == {"enabled": False, "type": "", "config": {}}


def test_limits_of_the_server_are_shown() -> None:
    found = parameters(None, {"file_size_limit": 99, "other": 1})["system_parameters"]
    assert found == {**DEFAULT_LIMITS, "file_size_limit": 99}


def test_the_form_of_a_workflow_is_its_start_variables() -> None:
    variable = {"variable": "a", "label": "A", "type": "paragraph", "required": True}
    assert parameters(workflow(variable))["user_input_form"] == [{"paragraph": variable}]


def test_the_old_image_switch_of_a_workflow_is_rewritten() -> None:
    image = {"enabled": True, "number_limits": 2, "transfer_methods": ["remote_url"]}
    assert parameters(workflow(file_upload={"image": image}))["file_upload"] == {
        "enabled": True, "number_limits": 2, "allowed_file_upload_methods": ["remote_url"],
        "allowed_file_types": ["image"], "allowed_file_extensions": [],
    }  # fmt: skip
    assert parameters(chat(file_upload={"image": image}))["file_upload"] == {"image": {**IMAGE, **image}}


def test_annotation_reply_is_only_spoken_of_when_it_is_on() -> None:
    detail = {"id": "x", "enabled": True, "score_threshold": 0.9}
    assert parameters(chat(annotation_reply=detail))["annotation_reply"] == detail
    assert parameters(chat(annotation_reply={**detail, "enabled": False}))["annotation_reply"] == {"enabled": False}


def test_the_forbidden_words_stay_on_the_server() -> None:
    stored = {"enabled": True, "type": "keywords", "config": {"keywords": "secret"}}
    assert "secret" not in json.dumps(parameters(chat(sensitive_word_avoidance=stored)))


_DAMAGE: list[Any] = [
    None,
    5,
    "x",
    [],
    [None, {}],
    {},
    {"enabled": "yes"},
    {"image": 5},
    {"image": {"enabled": True}},
]


@pytest.mark.parametrize("damage", _DAMAGE, ids=repr)
@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("user_input_form", "system_parameters")])
def test_one_damaged_feature_does_not_break_the_others(key: str, damage: Any) -> None:
    for make in (workflow, chat):
        found = parameters(make(**{key: damage, "more_like_this": {"enabled": True}} | {key: damage}))
        assert list(found) == KEYS
        assert found["opening_statement"] is None or isinstance(found["opening_statement"], str)
        assert all(isinstance(question, str) for question in found["suggested_questions"])
        for name in (*KEYS[2:8], "sensitive_word_avoidance"):
            assert isinstance(found[name]["enabled"], bool)
        if key != "more_like_this":
            assert found["more_like_this"] == {"enabled": True}


def test_a_damaged_form_leaves_out_only_what_is_damaged() -> None:
    good = {"text-input": {"variable": "a"}}
    assert parameters(chat(5, {}, {"number": 1}, {"number": {}}, good))["user_input_form"] == [good]


def inputs_of(document: dict[str, Any]) -> dict[str, Any]:
    schema = input_schema(document)
    Draft202012Validator.check_schema(schema)
    return schema["properties"]["inputs"]


def test_every_definition_has_a_valid_schema() -> None:
    for file in [*HERE, *EXAMPLES, *MORE]:
        definition = load(file.read_bytes())
        schema = input_schema(definition.document)
        Draft202012Validator.check_schema(schema)
        assert ("query" in schema["properties"]) == (definition.mode not in ("workflow", "completion")), file.name
        json.dumps(parameters(definition.document))


@pytest.mark.parametrize(
    ("mode", "query"),
    [
        ("workflow", False),
        ("completion", False),
        ("advanced-chat", True),
        ("chat", True),
        ("agent-chat", True),
    ],
)
def test_a_query_is_asked_for_where_there_is_a_conversation(mode: str, query: bool) -> None:
    document = workflow(mode=mode) if mode in ("workflow", "advanced-chat") else chat(mode=mode)
    schema = input_schema(document)
    assert schema["required"] == (["query", "inputs"] if query else ["inputs"])
    assert ("conversation_id" in schema["properties"]) == query
    assert {"files", "workflow_id"} <= schema["properties"].keys()


def test_an_app_without_a_version_matches_nothing() -> None:
    schema = input_schema(None)
    Draft202012Validator.check_schema(schema)
    assert not Draft202012Validator(schema).is_valid({"inputs": {}})


def test_every_type_is_described() -> None:
    found = inputs_of(
        workflow(
            {
                "variable": "t",
                "type": "text-input",
                "label": "Text",
                "description": "d",
                "default": "x",
                "max_length": 5,
            },
            {"variable": "s", "type": "select", "options": ["A", "B", "A"], "default": "C"},
            {"variable": "n", "type": "number", "default": 5, "required": True},
            {"variable": "c", "type": "checkbox", "required": True, "default": False},
            {"variable": "m", "type": "number", "default": "2.5"},
            {"variable": "e", "type": "external_data_tool", "required": True},
            {"variable": "f", "type": "file", "allowed_file_types": ["image"]},
            {
                "variable": "l",
                "type": "file-list",
                "max_length": 3,
                "allowed_file_upload_methods": ["local_file"],
            },
            {"variable": "n", "type": "number", "required": True},
        )
    )
    properties = found["properties"]
    assert properties["t"] == {
        "title": "Text",
        "description": "d",
        "default": "x",
        "type": "string",
        "maxLength": 5,
    }
    assert properties["s"] == {"title": "s", "type": "string", "enum": ["A", "B"]}
    assert properties["n"] == {"title": "n", "type": "number"}
    assert properties["c"] == {"title": "c", "default": False, "type": "boolean"}
    assert properties["m"] == {"title": "m", "default": 2.5, "type": "number"}
    assert properties["e"]["type"] == "string"
    remote, local = properties["f"]["oneOf"]
    assert remote["required"] == ["transfer_method", "url"]
    assert local["required"] == ["transfer_method", "upload_file_id"]
    assert remote["properties"]["type"]["enum"] == ["image"]
    assert properties["l"]["maxItems"] == 3
    assert len(properties["l"]["items"]["oneOf"]) == 1
    assert found["required"] == ["n", "c"]
    assert found["additionalProperties"] is False


def test_a_select_without_options_has_no_empty_enum() -> None:
    assert inputs_of(workflow({"variable": "s", "type": "select"}))["properties"]["s"] == {
        "title": "s", "type": "string",
    }  # fmt: skip


def test_an_authors_schema_keeps_its_meaning_with_its_references() -> None:
    own = {"properties": {"n": {"$ref": "#/definitions/n"}}, "definitions": {"n": {"type": "number"}}}
    schema = input_schema(workflow({"variable": "o", "type": "json_object", "json_schema": json.dumps(own)}))
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"inputs": {"o": {"n": 1}}})
    assert not validator.is_valid({"inputs": {"o": {"n": "x"}}})


@pytest.mark.parametrize(
    "own",
    [
        {"items": [{}], "type": "objekt"},
        {"properties": {"a": {"items": [{"type": "number"}]}}},
        {"$ref": "http://127.0.0.1/x"},
        {"properties": {"a": {"$ref": "#/definitions/b", "type": "number"}}, "definitions": {"b": {}}},
        {"unevaluatedProperties": False},
        {"properties": {"a": {"$id": "urn:x", "type": "number"}}},
        "not json",
        [1],
    ],
    ids=repr,
)
def test_an_authors_schema_that_would_mean_something_else_becomes_any_object(own: Any) -> None:
    found = inputs_of(workflow({"variable": "o", "type": "json_object", "json_schema": own}))
    assert found["properties"]["o"] == {"title": "o", "type": "object"}


_KINDS = st.sampled_from([
    "text-input", "paragraph", "select", "number", "checkbox", "file", "file-list", "json_object",
    "external_data_tool", "unheard-of",
])  # fmt: skip
_ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3))
_SCHEMAS = st.sampled_from([
    None, "", {"type": "object"}, {"required": ["a"]}, {"properties": {"a": {"type": "string"}}},
    '{"maxProperties": 1}',
    {"$ref": "#"}, {"additionalProperties": False},
    {"properties": {"a": {"$ref": "#/definitions/x"}}, "definitions": {"x": {"type": "number"}}},
])  # fmt: skip
_VARIABLE = st.fixed_dictionaries(
    {"variable": st.sampled_from(["a", "b", "c/d", "#e ☂", ""])},
    optional={
        "label": _ANY, "description": _ANY, "required": _ANY, "hide": _ANY, "default": _ANY,
        "max_length": _ANY,
        "options": _ANY | st.lists(st.sampled_from(["A", "B"])), "json_schema": _SCHEMAS | _ANY,
        "allowed_file_types": _ANY | st.lists(st.sampled_from(["image", "custom", "junk"])),
        "allowed_file_upload_methods": _ANY | st.lists(st.sampled_from(["remote_url", "local_file"])),
    },
)  # fmt: skip
_FILE = st.fixed_dictionaries(
    {"transfer_method": st.sampled_from(["remote_url", "local_file"])},
    optional={
        "type": st.sampled_from(["image", "document", "custom"]),
        "url": st.sampled_from(["https://x.example/a.png", "nonsense"]),
        "upload_file_id": st.sampled_from(["0d0f7a36-9d5e-4b53-9f0a-1f4b9b9f2d11", "7"]),
    },
)


def _form(kinds: list[tuple[str, dict[str, Any]]], *, conversation: bool) -> dict[str, Any]:
    if conversation:
        return chat(*({kind: config} for kind, config in kinds))
    return workflow(*({"type": kind, **config} for kind, config in kinds))


@settings(max_examples=300, deadline=None)
@given(declared=st.lists(st.tuples(_KINDS, _VARIABLE), max_size=4), conversation=st.booleans())
def test_any_form_has_a_valid_schema(declared: list[tuple[str, dict[str, Any]]], conversation: bool) -> None:
    document = _form(declared, conversation=conversation)
    Draft202012Validator.check_schema(input_schema(document))
    assert list(parameters(document)) == KEYS


_WORDS = st.sampled_from(["", "A", "B", "true", "\u00e9\u00e9", "12", "longer"])
_OBJECTS = st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2) | _WORDS, max_size=2)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text-input": _WORDS, "paragraph": _WORDS, "external_data_tool": _WORDS, "select": _WORDS,
    "number": st.integers() | st.floats() | st.booleans() | _WORDS, "checkbox": st.booleans() | _WORDS,
    "file": _FILE, "file-list": st.lists(_FILE, max_size=3), "json_object": _OBJECTS,
    "unheard-of": _WORDS | st.integers() | st.booleans(),
}  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(data=st.data(), kind=_KINDS, config=_VARIABLE.filter(lambda config: config["variable"]))
def test_the_schema_accepts_what_the_run_takes_as_it_is(data: Any, kind: str, config: dict[str, Any]) -> None:
    value = data.draw(_VALUES[kind])
    document, inputs = workflow({"type": kind, **config}), {config["variable"]: value}
    try:
        taken = check(document, inputs)
    except Refusal:
        return
    # Compared as text, because True == 1: a switch that became a number has been converted.
    if repr(taken) == repr(inputs):
        Draft202012Validator(input_schema(document)).validate({"inputs": inputs})
