"""The schemas of an OpenAPI document: references followed within it, and cut where they go round in a circle."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

_DEPTH, _PARTS = 8, 1000  # a model has no use for deeper and larger schemas
_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_KEPT = (
    "type", "format", "enum", "default", "description", "minimum", "maximum", "minLength", "maxLength", "pattern",
    "minItems", "maxItems", "example", "nullable",
)  # fmt: skip


def resolved(document: dict[str, Any], value: Any) -> Any:
    """Return what a value refers to, or the value. References to elsewhere and to nothing become None."""
    for _ in range(_DEPTH):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            return value
        value = _at(document, value["$ref"])
    return None


def schema_of(document: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return a schema without references, as far as it says something to a model."""
    return _Reader(document).schema(value, 0)


class _Reader:
    """Reads one schema. A schema that refers to itself in many places would unfold to any size: it is bounded."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document, self._left = document, _PARTS

    def schema(self, value: Any, depth: int) -> dict[str, Any]:
        value = resolved(self._document, value)
        self._left -= 1
        if not isinstance(value, dict) or depth >= _DEPTH or self._left < 0:
            return {}
        made = {key: value[key] for key in _KEPT if key in value}
        if isinstance(made.get("type"), list):
            made["type"] = next((kind for kind in made["type"] if kind != "null"), "string")
        for part in value.get("allOf") or []:
            inner = self.schema(part, depth + 1)
            properties = {**made.get("properties", {}), **inner.pop("properties", {})}
            required = [*made.get("required", []), *inner.pop("required", [])]
            made = {**inner, **made}
            made |= {"properties": properties} if properties else {}
            made |= {"required": required} if required else {}
        for key in ("oneOf", "anyOf"):
            if isinstance(value.get(key), list):
                made[key] = [self.schema(part, depth + 1) for part in value[key]]
        listed = value.get("properties")
        if isinstance(listed, dict):
            own = {str(name): self.schema(part, depth + 1) for name, part in listed.items()}
            made["properties"] = {**made.get("properties", {}), **own}
        if isinstance(value.get("required"), list):
            made["required"] = list(dict.fromkeys([*made.get("required", []), *map(str, value["required"])]))
        if "items" in value:
            made["items"] = self.schema(value["items"], depth + 1)
        return made


def type_of(schema: dict[str, Any]) -> str:
    """Return the JSON type a value must have; an object where the schema does not say but has properties."""
    kind = schema.get("type")
    if kind in _TYPES:
        return str(kind)
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def parameter(
    document: dict[str, Any], name: str, value: Any, description: Any = None, required: bool = False
) -> dict[str, Any]:
    """Return one argument of an operation as plain values."""
    schema = schema_of(document, value)
    told = description if isinstance(description, str) else schema.get("description")
    return {
        "name": name,
        "type": type_of(schema),
        "description": str(told or "")[:1000],
        "required": required,
        "default": schema.get("default"),
        "schema": {**schema, "type": type_of(schema)},
    }


def _at(document: dict[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        # Following it would let a document make the server fetch any address or file.
        return None
    value: Any = document
    for step in reference[2:].split("/"):
        step = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
