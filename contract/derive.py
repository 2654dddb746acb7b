"""Derives the OpenAPI 3.1 and 3.2 views from the 3.0 contract: ``python -m contract.derive``.

3.1 speaks JSON Schema 2020-12: ``nullable`` becomes a union with null, boolean exclusive bounds become
numbers, ``example`` in a schema becomes ``examples``. 3.2 adds ``itemSchema`` to the streams, so that a
checker looks into the ``data`` of each event (OpenAPI 3.2, sequential media types).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from contract import CONTRACT, VIEW_31, VIEW_32, Document, load

NOTICE = "# Derived from openapi.yaml by `python -m contract.derive`. Do not edit.\n"
NULL = {"type": "null"}
# Keywords whose value maps names to schemas, holds one schema, or holds a list of them.
NAMED = ("properties",)
SINGLE = ("items", "additionalProperties", "not")
LISTED = ("allOf", "anyOf", "oneOf")
ANNOTATIONS = ("title", "description", "default", "examples")


def view_31(source: Document) -> Document:
    """The contract in OpenAPI 3.1.1. In: the 3.0 document, which is not changed."""
    view: Document = _node(source)
    view["openapi"] = "3.1.1"
    return view


def view_32(source: Document) -> Document:
    """The contract in OpenAPI 3.2.0, with the payload of each streamed event described."""
    view = view_31(source)
    view["openapi"] = "3.2.0"
    for item in view["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "x-stream" in operation:
                for response in operation["responses"].values():
                    if "text/event-stream" in response.get("content", {}):
                        response["content"]["text/event-stream"] = _sequence(operation["x-stream"])
    return view


def schema(node: Any) -> Any:
    """One 3.0 schema object as JSON Schema 2020-12. References stay; a copy is returned."""
    if not isinstance(node, dict) or "$ref" in node:
        return node
    out = {key: _keyword(key, value) for key, value in node.items() if key != "nullable"}
    if "example" in out:
        out["examples"] = [out.pop("example")]
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        flag = out.pop(exclusive, False)
        if flag is True:
            out[exclusive] = out.pop(plain)
    return _nullable(out) if node.get("nullable") else out


def _keyword(key: str, value: Any) -> Any:
    if key in NAMED:
        return {name: schema(child) for name, child in value.items()}
    if key in SINGLE:
        return schema(value)
    if key in LISTED:
        return [schema(child) for child in value]
    return value


def _nullable(out: dict[str, Any]) -> dict[str, Any]:
    # A union of schemas, not a list of types: generators of test data get `format` right only this way.
    outer: dict[str, Any] = {key: out.pop(key) for key in ANNOTATIONS if key in out}
    return {**outer, "anyOf": [out, NULL]}


def _node(node: Any) -> Any:
    """Copy a part of the document; what stands under ``schema`` or ``schemas`` is translated."""
    if isinstance(node, list):
        return [_node(child) for child in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key in ("example", "examples"):
            out[key] = value
        elif key == "schema":
            out[key] = schema(value)
        elif key == "schemas":
            out[key] = {name: schema(child) for name, child in value.items()}
        else:
            out[key] = _node(value)
    return out


def _sequence(event: str) -> dict[str, Any]:
    return {
        "itemSchema": {
            "type": "object",
            "required": ["data"],
            "properties": {
                "id": {"type": "string", "description": "The cursor of this event, for Last-Event-ID"},
                "retry": {"type": "integer", "minimum": 0, "maximum": 86400000},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": f"#/components/schemas/{event}"},
                },
            },
        }
    }


class _Dumper(yaml.SafeDumper):
    """No anchors: a reader should see values, not aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def rendered() -> dict[Path, str]:
    """The text of each view, as it should stand on disk."""
    source = load(CONTRACT)
    return {
        path: NOTICE + yaml.dump(view(source), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)
        for path, view in ((VIEW_31, view_31), (VIEW_32, view_32))
    }


def _on_disk(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main() -> int:
    """Write the views. With ``--check``, write nothing and exit 1 if one is stale."""
    checking = "--check" in sys.argv
    stale = {path: text for path, text in rendered().items() if _on_disk(path) != text}
    for path, text in stale.items():
        print(f"{path.name}: {'stale' if checking else 'written'}")
        if not checking:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and checking else 0


if __name__ == "__main__":
    raise SystemExit(main())
