"""A value that a JSON Schema accepts: the same one every time, as small and as plain as the schema allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_MAX_DEPTH = 12
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "sample@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


def sample(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """Return a value for ``schema`` (draft 7; local ``$ref`` only). Patterns are not followed.

    Every declared property is filled in, so that a node that reads an optional one finds it.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return "sample"
    root = schema if root is None else root
    if "$ref" in schema:
        return sample(_target(str(schema["$ref"]), root), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    if "default" in schema:
        return schema["default"]
    if isinstance(schema.get("allOf"), list):
        return sample(_merged(schema, root), root, depth + 1)
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        if isinstance(options, list) and options:
            rest = {k: v for k, v in schema.items() if k != key}
            return sample(_merged({**rest, "allOf": [options[0]]}, root), root, depth + 1)
    return _of_kind(_kind(schema), schema, root, depth)


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next((one for one in kind if one != "null"), "null"))
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _of_kind(kind: str, schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties") or {}
        # A schema that holds itself ends where it need not go on.
        wanted = schema.get("required") or [] if depth > _MAX_DEPTH // 2 else properties
        made = {name: sample(properties.get(name), root, depth + 1) for name in wanted}
        return made | {name: "sample" for name in schema.get("required") or [] if name not in made}
    if kind == "array":
        count = int(schema.get("minItems") or 0)
        return [sample(schema.get("items"), root, depth + 1) for _ in range(min(count, 100))]
    if kind in ("number", "integer"):
        return _number(schema)
    return {"boolean": True, "null": None}.get(kind, _text(schema))


def _number(schema: Mapping[str, Any]) -> Any:
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema.get("exclusiveMinimum") is not None:
        low = math.floor(schema["exclusiveMinimum"]) + 1
    if schema.get("exclusiveMaximum") is not None:
        high = math.ceil(schema["exclusiveMaximum"]) - 1
    value = max(1, math.ceil(low)) if low is not None else 1
    value = value if high is None else min(value, math.floor(high))
    step = schema.get("multipleOf")
    return math.ceil(value / step) * step if step else value


def _text(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "sample")
    text = text.ljust(min(int(schema.get("minLength") or 0), 10_000), "x")
    return text[: schema["maxLength"]] if schema.get("maxLength") is not None else text


def _merged(schema: Mapping[str, Any], root: Any) -> dict[str, Any]:
    parts = [*schema["allOf"], {k: v for k, v in schema.items() if k != "allOf"}]
    made: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, Mapping) and "$ref" in part:
            part = _target(str(part["$ref"]), root)
        if not isinstance(part, Mapping):
            continue
        properties = {**made.get("properties", {}), **(part.get("properties") or {})}
        required = [*made.get("required", []), *(part.get("required") or [])]
        made |= part
        made |= {"properties": properties} if properties else {}
        made |= {"required": required} if required else {}
    return made


def _target(pointer: str, root: Any) -> Any:
    """What a local reference (RFC 6901) points at; an empty schema when there is no such place."""
    found = root
    for step in pointer.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
