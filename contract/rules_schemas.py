"""House rules about schemas, examples and words. Each yields (place, what is wrong)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from contract import Document, operations, resolve
from contract.walk import reached, references, schemas

Finding = tuple[str, str]
# Formats that bound a string by themselves.
BOUNDED_FORMATS = {"uuid", "date-time", "date"}
REMARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK|WIP|TBD)\b")


def bounds(document: Document) -> Iterator[Finding]:
    """Strings, numbers and arrays are bounded: clients can allocate, a server can refuse, a test can end."""
    for place, schema in schemas(document):
        kind = schema.get("type")
        bounded = bool(schema.keys() & {"maxLength", "enum"}) or schema.get("format") in BOUNDED_FORMATS
        if kind == "string" and not bounded:
            yield place, "a string needs maxLength, enum or a format that bounds it"
        if kind in ("integer", "number") and not schema.keys() >= {"minimum", "maximum"}:
            yield place, "a number needs minimum and maximum"
        if kind == "array" and not schema.keys() >= {"maxItems", "items"}:
            yield place, "an array needs maxItems and items"


def requests(document: Document) -> Iterator[Finding]:
    """Objects that clients send are closed: a misspelt member is refused, not ignored."""
    for path, method, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for place, schema in reached(document, media["schema"], f"{method} {path}"):
                if "properties" in schema and schema.get("additionalProperties") is not False:
                    yield place, "is sent by clients, and so needs additionalProperties: false"


def members(document: Document) -> Iterator[Finding]:
    """Required members exist; null stands beside a type only; component schemas are described."""
    for place, schema in schemas(document):
        known = schema.get("properties", {})
        lost = set(schema.get("required", [])) - set(known)
        if lost and "/allOf/" not in place:  # a branch of allOf may require what its sibling declares
            yield place, f"requires {', '.join(sorted(lost))}, which it does not have"
        if schema.get("nullable") and "type" not in schema:
            yield place, "nullable has no effect without a type (OpenAPI 3.0.3)"
        if schema.get("nullable") and "enum" in schema and None not in schema["enum"]:
            yield place, "is nullable, but its enum leaves null out"
        if place.count(".") == 0 and re.fullmatch(r"schemas/\w+", place) and not schema.get("description"):
            yield place, "needs a description"


def parameters(document: Document) -> Iterator[Finding]:
    """Parameters are described; ids in paths are UUIDs; texts say that control characters are refused."""
    for path, method, operation in operations(document):
        for reference in operation.get("parameters", []):
            parameter = resolve(document, reference)
            place = f"{method} {path} {parameter['name']}"
            if not parameter.get("description"):
                yield place, "needs a description"
            named_id = parameter["in"] == "path" and parameter["name"].endswith("_id")
            if named_id and parameter["schema"] != {"type": "string", "format": "uuid"}:
                yield place, "an id in a path is a UUID"
            schema = resolve(document, parameter["schema"])
            if schema.get("type") == "string" and not schema.keys() & {"enum", "format", "pattern"}:
                yield place, "a text needs a pattern: the server refuses control characters"


def examples(document: Document) -> Iterator[Finding]:
    """Every body, sent or received, has an example."""
    for place, media in media_types(document):
        if not media.get("examples"):
            yield place, "needs an example"


def unused(document: Document) -> Iterator[Finding]:
    """Every component is referred to."""
    used = set(references(document))
    for kind, entries in document["components"].items():
        for name in entries:
            if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used:
                yield f"{kind}/{name}", "is referred to by nothing"


def words(document: Document) -> Iterator[Finding]:
    """No internal remarks, and no text that trails off."""
    for place, text in _texts(document, ""):
        if REMARKS.search(text):
            yield place, "holds a remark for ourselves"
        if text != text.strip() + ("\n" if text.endswith("\n") else ""):
            yield place, "has stray space around it"


def media_types(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every media type object of requests and responses, as (place, media type)."""
    for path, method, operation in operations(document):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for label, reference in bodies.items():
            for name, media in resolve(document, reference).get("content", {}).items():
                yield f"{method} {path} {label} {name}", media


def _texts(node: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _texts(child, f"{place}/{index}")
    elif isinstance(node, dict):
        for key, child in node.items():
            if key in ("description", "summary", "title") and isinstance(child, str):
                yield f"{place}/{key}", child
            elif key not in ("example", "examples"):
                yield from _texts(child, f"{place}/{key}")
