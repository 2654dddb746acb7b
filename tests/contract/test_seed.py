"""The contract never falls below the seed, and stands above it only where the list of additions says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import contract

SEED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("seed.yaml").read_text(encoding="utf-8"))
FORM = "application/x-www-form-urlencoded"
DOCUMENT = contract.load()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {f"{method} {path}": operation for path, method, operation in contract.operations(DOCUMENT)}
SEED_OPERATIONS = {f"{method} {path}": seed for path, item in SEED["paths"].items() for method, seed in item.items()}
SERVED = [name for name in SEED_OPERATIONS if name not in SEED["awaited"]]


def seed_type(node: dict[str, Any]) -> set[str]:
    """The names under which the seed may know a schema: its component name, its JSON type."""
    names = {node["$ref"].rsplit("/", 1)[1]} if "$ref" in node else set()
    schema = contract.resolve(DOCUMENT, node)
    if schema.get("type") == "array":
        return names | {f"[{name}]" for name in seed_type(schema["items"])}
    return names | {schema.get("type", "object" if "oneOf" in schema or "allOf" in schema else "any")}


def media_types(operation: dict[str, Any]) -> set[str]:
    """The media types that an operation takes."""
    return set(operation.get("requestBody", {}).get("content", {}))


def all_fields(schema: dict[str, Any]) -> dict[str, Any]:
    """The members of a schema, those of its ``allOf`` branches included."""
    fields = dict(schema.get("properties", {}))
    for branch in schema.get("allOf", []):
        fields |= all_fields(contract.resolve(DOCUMENT, branch))
    return fields


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The path and query parameters of an operation by name."""
    resolved = [contract.resolve(DOCUMENT, entry) for entry in operation.get("parameters", [])]
    return {entry["name"]: entry for entry in resolved if entry["in"] in ("path", "query")}


@pytest.mark.parametrize("name", SERVED)
def test_every_operation_of_the_seed_is_served_with_its_parameters(name: str) -> None:
    """Name, place, type and required mark of each parameter, and the body's model."""
    operation = OPERATIONS[name]
    present = parameters(operation)
    for parameter, seed in SEED_OPERATIONS[name].get("parameters", {}).items():
        if seed["in"] == "body":
            body = operation["requestBody"]["content"]["application/json"]
            assert seed["type"] in seed_type(body["schema"])
            assert operation["requestBody"]["required"] is seed["required"]
        else:
            assert present[parameter]["in"] == seed["in"]
            assert present[parameter].get("required", False) is seed["required"]
            assert seed["type"] in seed_type(present[parameter]["schema"])


@pytest.mark.parametrize("name", SERVED)
def test_every_success_of_the_seed_answers_its_model(name: str) -> None:
    """Status, description and model of each response of the seed."""
    for status, seed in SEED_OPERATIONS[name]["responses"].items():
        response = OPERATIONS[name]["responses"][status]
        if seed["description"] != "Success":
            assert response["description"] == seed["description"]
        if "model" in seed:
            assert seed["model"] in seed_type(response["content"]["application/json"]["schema"])


@pytest.mark.parametrize("name", SEED["models"])
def test_every_model_of_the_seed_has_its_fields_and_required_marks(name: str) -> None:
    """We may require more than the seed, never less."""
    schema, seed = SCHEMAS[name], SEED["models"][name]
    fields = all_fields(schema)
    for field, kind in seed.get("fields", {}).items():
        assert kind in seed_type(fields[field]), field
    assert set(seed.get("required", [])) <= set(schema.get("required", []))


def test_only_the_awaited_operations_of_the_seed_are_missing() -> None:
    """None, now that forms can be answered."""
    assert set(SEED_OPERATIONS) - set(OPERATIONS) == set(SEED["awaited"])


def test_every_addition_to_the_seed_is_listed() -> None:
    """Operations, parameters, media types, models and fields that the seed does not have."""
    found = {
        "operations": sorted(set(OPERATIONS) - set(SEED_OPERATIONS)),
        "parameters": sorted(
            f"{name} {parameter}"
            for name in SERVED
            for parameter in parameters(OPERATIONS[name])
            if parameter not in SEED_OPERATIONS[name].get("parameters", {})
        ),
        "forms": sorted(name for name in SERVED if FORM in media_types(OPERATIONS[name])),
        "models": sorted(set(SCHEMAS) - set(SEED["models"])),
        "fields": sorted(
            f"{name}.{field}"
            for name, seed in SEED["models"].items()
            for field in all_fields(SCHEMAS[name])
            if field not in seed.get("fields", {})
        ),
        "required": sorted(
            f"{name}.{field}"
            for name, seed in SEED["models"].items()
            for field in set(SCHEMAS[name].get("required", [])) - set(seed.get("required", []))
            if field in seed.get("fields", {})
        ),
    }
    assert found == SEED["additions"]
