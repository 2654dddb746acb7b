"""Walking the contract: every schema with the place where it stands, and what a schema reaches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract import Document, resolve

Place = str
_KEYED = ("properties",)
_PLAIN = ("items", "additionalProperties", "not")
_LISTS = ("allOf", "anyOf", "oneOf")


def schemas(document: Document) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every schema object, nested ones included, references excluded, as (place, schema)."""
    for name, node in document["components"]["schemas"].items():
        yield from nested(f"schemas/{name}", node)
    for place, node in _holders(document, ""):
        yield from nested(place, node)


def nested(place: Place, node: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """A schema object and all those inside it. In: a schema or a reference, which ends the walk."""
    if not isinstance(node, dict) or "$ref" in node:
        return
    yield place, node
    for key in _KEYED:
        for name, child in node.get(key, {}).items():
            yield from nested(f"{place}.{name}", child)
    for key in _PLAIN:
        yield from nested(f"{place}/{key}", node.get(key))
    for key in _LISTS:
        for index, child in enumerate(node.get(key, [])):
            yield from nested(f"{place}/{key}/{index}", child)


def reached(document: Document, node: Any, place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Like ``nested``, but follows references, each once."""
    seen: set[str] = set()
    waiting = [(place, node)]
    while waiting:
        here, current = waiting.pop()
        if isinstance(current, dict) and "$ref" in current:
            if current["$ref"] in seen:
                continue
            seen.add(current["$ref"])
            here, current = current["$ref"].removeprefix("#/components/"), resolve(document, current)
        for inner, schema in nested(here, current):
            yield inner, schema
            children = list(schema.get("properties", {}).values())
            children += [schema.get(key) for key in _PLAIN]
            children += [child for key in _LISTS for child in schema.get(key, [])]
            waiting += [(inner, child) for child in children if isinstance(child, dict) and "$ref" in child]


def references(node: Any) -> Iterator[str]:
    """The target of every ``$ref`` below a node, extensions and discriminator mappings included."""
    if isinstance(node, list):
        for child in node:
            yield from references(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "$ref" and isinstance(child, str):
                yield child
            elif key == "mapping":
                yield from child.values()
            else:
                yield from references(child)


def _holders(node: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """What stands under ``schema`` outside of the component schemas."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            label = child.get("name", str(index)) if isinstance(child, dict) else str(index)
            yield from _holders(child, f"{place}/{label}")
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "schema":
                yield place.removeprefix("/"), child
            elif key not in ("schemas", "example", "examples"):
                yield from _holders(child, f"{place}/{key}")
