"""The JSON Schema of one input, by its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from engine.inputs import object_schema
from engine.inputs.file_values import kind_allowed, method_allowed
from engine.inputs.variables import FILE_KINDS, Variable

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_METHODS = ("remote_url", "local_file")
# These words mean something in 2020-12 and nothing in Draft 7, which is what the run checks by.
_NEWER = frozenset({
    "$anchor", "$defs", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$vocabulary",
    "dependentRequired", "dependentSchemas", "maxContains", "minContains", "prefixItems",
    "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip


def shape_of(variable: Variable) -> dict[str, Any]:
    """The schema of what the run takes without converting; of an unknown type, one that accepts anything."""
    make = _SHAPES.get(variable.type)
    return make(variable) if make else {}


def _text(variable: Variable) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": "string"}
    if variable.max_length is not None:
        shape["maxLength"] = variable.max_length
    return shape


def _select(variable: Variable) -> dict[str, Any]:
    # An empty enum is no valid schema; a select without options takes no value at all.
    return {"type": "string", "enum": list(variable.options)} if variable.options else {"type": "string"}


def _object(variable: Variable) -> dict[str, Any]:
    """The author's own schema where it means the same in 2020-12.

    Where it does not, any object: the run checks by the author's schema all the same.
    """
    own = variable.json_schema
    if own is None or not _carries_over(own):
        return {"type": "object"}
    shape = {
        name: value for name, value in own.items() if name not in ("$schema", "$id", "title", "description", "default")
    }
    if any(True for _ in object_schema.references(shape)):
        # As a resource of its own, so that `#/definitions/…` keeps meaning the author's schema.
        shape = {"$id": f"urn:difyspec:input:{quote(variable.name, errors='replace')}", **shape}
    shape.setdefault("type", "object")
    return shape


def _carries_over(schema: Mapping[str, Any]) -> bool:
    if object_schema.problem(schema) is not None or not _NEWER.isdisjoint(_keys(schema)):
        return False
    if not jsonschema_rs.meta.is_valid({**schema, "$schema": DRAFT}):
        return False
    inner = [part for part in _parts(schema) if part is not schema]
    if any("$id" in part or "$schema" in part for part in inner):
        return False
    # Draft 7 ignores what stands beside a $ref; 2020-12 does not.
    return "$ref" not in schema and all(len(part) == 1 for part in inner if "$ref" in part)


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from _parts(child)


def _keys(schema: Mapping[str, Any]) -> Iterator[str]:
    for part in _parts(schema):
        yield from part


def _file(variable: Variable) -> dict[str, Any]:
    kinds = [kind for kind in FILE_KINDS if kind_allowed(variable, kind)] or list(FILE_KINDS)
    methods = [method for method in _METHODS if method_allowed(variable, method)] or list(_METHODS)
    own: dict[str, dict[str, Any]] = {
        "remote_url": {"url": {"type": "string", "format": "uri", "minLength": 1}},
        "local_file": {"upload_file_id": {"type": "string", "format": "uuid"}},
    }
    forms = []
    for method in methods:
        member = next(iter(own[method]))
        properties = {
            "type": {"type": "string", "enum": kinds},
            "transfer_method": {"const": method},
            **own[method],
        }
        forms.append({"type": "object", "properties": properties, "required": ["transfer_method", member]})
    return {"type": "object", "oneOf": forms}


def file_list_shape(variable: Variable) -> dict[str, Any]:
    """A list of files, at most ``max_length``."""
    shape: dict[str, Any] = {"type": "array", "items": _file(variable)}
    if variable.max_length is not None:
        shape["maxItems"] = variable.max_length
    return shape


_SHAPES: dict[str, Callable[[Variable], dict[str, Any]]] = {
    "text-input": _text,
    "paragraph": _text,
    "external_data_tool": _text,
    "select": _select,
    "number": lambda _: {"type": "number"},
    "checkbox": lambda _: {"type": "boolean"},
    "json_object": _object,
    "file": _file,
    "file-list": file_list_shape,
}
