"""The three documents are valid, the views are fresh, and every example fits its schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import (
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)

import contract
from contract import derive, walk
from contract.rules_schemas import media_types

VIEW = contract.load(contract.VIEW_31)


def fits(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, by the 3.1 view."""
    whole = {**schema, "components": {"schemas": VIEW["components"]["schemas"]}}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [error.message for error in validator.iter_errors(value)]


def body_examples() -> Iterator[Any]:
    for place, media in media_types(VIEW):
        for name, example in media["examples"].items():
            yield pytest.param(media["schema"], example["value"], id=f"{place} {name}")


def schema_examples() -> Iterator[Any]:
    for place, schema in walk.schemas(VIEW):
        for index, example in enumerate(schema.get("examples", [])):
            yield pytest.param(schema, example, id=f"{place} {index}")


def parameter_examples() -> Iterator[Any]:
    for path, method, operation in contract.operations(VIEW):
        for reference in operation.get("parameters", []):
            parameter = contract.resolve(VIEW, reference)
            if "example" in parameter:
                yield pytest.param(parameter["schema"], parameter["example"], id=f"{method} {path} {parameter['name']}")


@pytest.mark.parametrize(
    ("path", "validator"),
    [
        (contract.CONTRACT, OpenAPIV30SpecValidator),
        (contract.VIEW_31, OpenAPIV31SpecValidator),
        (contract.VIEW_32, OpenAPIV32SpecValidator),
    ],
    ids=["3.0", "3.1", "3.2"],
)
def test_the_document_is_valid_openapi(path: Any, validator: Any) -> None:
    """By the meta-schema of its version, defaults and references included."""
    assert [str(error) for error in validator(contract.load(path)).iter_errors()] == []


@pytest.mark.parametrize("path", [contract.VIEW_31, contract.VIEW_32], ids=["3.1", "3.2"])
def test_the_view_is_fresh(path: Any) -> None:
    """Run ``python -m contract.derive`` when this fails."""
    assert path.read_text(encoding="utf-8") == derive.rendered()[path]


@pytest.mark.parametrize(("schema", "value"), [*body_examples(), *schema_examples(), *parameter_examples()])
def test_the_example_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    """By JSON Schema 2020-12, formats included."""
    assert fits(schema, value) == []


def test_every_event_schema_has_an_example() -> None:
    """One for each name that the discriminator knows."""
    mapping = VIEW["components"]["schemas"]["RunEvent"]["discriminator"]["mapping"]
    for event, reference in mapping.items():
        examples = contract.resolve(VIEW, {"$ref": reference})["examples"]
        assert [example["event"] for example in examples] == [event]


def test_every_event_fits_one_alternative_of_the_union_only() -> None:
    """``oneOf`` means one: an event that fits two could not be told apart."""
    union = {"$ref": "#/components/schemas/RunEvent"}
    mapping = VIEW["components"]["schemas"]["RunEvent"]["discriminator"]["mapping"]
    for reference in mapping.values():
        assert fits(union, contract.resolve(VIEW, {"$ref": reference})["examples"][0]) == []


def test_the_newest_view_describes_the_payload_of_each_streamed_event() -> None:
    """So that a checker which knows event streams looks into ``data``."""
    view = contract.load(contract.VIEW_32)
    for path in ("/apps/{app_id}/run", "/apps/{app_id}/tasks/{task_id}/events"):
        (operation,) = view["paths"][path].values()
        stream = operation["responses"]["200"]["content"]["text/event-stream"]
        data = stream["itemSchema"]["properties"]["data"]
        assert data["contentMediaType"] == "application/json"
        assert data["contentSchema"] == {"$ref": "#/components/schemas/RunEvent"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "integer", "nullable": True}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            {"type": "number", "exclusiveMinimum": 0},
        ),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": False}, {"type": "number", "maximum": 9}),
        ({"type": "string", "example": "a"}, {"type": "string", "examples": ["a"]}),
        (
            {"type": "array", "items": {"type": "string", "nullable": True}},
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        ),
        ({"$ref": "#/components/schemas/Count"}, {"$ref": "#/components/schemas/Count"}),
        (
            {"type": "object", "properties": {"nullable": {"type": "boolean", "nullable": False}}},
            {"type": "object", "properties": {"nullable": {"type": "boolean"}}},
        ),
    ],
)
def test_a_schema_is_translated_to_the_newer_json_schema(old: dict[str, Any], new: dict[str, Any]) -> None:
    """One keyword at a time, and without touching the original."""
    before = repr(old)
    assert derive.schema(old) == new
    assert repr(old) == before


def test_null_is_admitted_by_both_generations_of_the_contract() -> None:
    """An external subject has no account: the nullable component admits null wherever it is referred to."""
    assert fits({"$ref": "#/components/schemas/AccountPayload"}, None) == []
    assert fits({"$ref": "#/components/schemas/WorkspacePayload"}, None) != []
