"""From the contract's schemas to validators: OpenAPI 3.0 schema objects become JSON Schema 2020-12 for
jsonschema-rs.

Built from the raw document: connexion resolves references in place, so a recursive schema is a cyclic dict
there.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs

DROPPED = frozenset(
    {"nullable", "exclusiveMinimum", "exclusiveMaximum", "example", "xml", "externalDocs", "discriminator"}
)
REFERENCE = re.compile(r'"#/components/schemas/([^"/]+)"')
# jsonschema-rs checks formats of strings only; these become bounds.
WIDTHS = {"int32": 2**31, "int64": 2**63}


def to_2020(node: Any) -> Any:
    """A copy of an OpenAPI 3.0 schema object as JSON Schema 2020-12."""
    if isinstance(node, list):
        return [to_2020(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}  # 3.0.3: what stands beside a reference is ignored
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key in DROPPED:
            continue
        if key in ("properties", "patternProperties"):
            out[key] = {name: to_2020(schema) for name, schema in value.items()}
        elif key in ("enum", "default", "const", "required"):
            out[key] = value
        else:
            out[key] = to_2020(value)
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if node.get(exclusive) is True:
            out[exclusive] = out.pop(bound)
    width = WIDTHS.get(node.get("format", ""))
    if width:
        out["minimum"] = max(out.get("minimum", -width), -width)
        out["maximum"] = min(out.get("maximum", width - 1), width - 1)
    return _nullable(out) if node.get("nullable") else out


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if any(key in schema for key in ("allOf", "oneOf", "anyOf")):
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


class Schemas:
    """Makes validators of one contract. In: its raw document (3.0 with unresolved references)."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.old = str(raw.get("openapi", "3.0.3")).startswith("3.0")
        components = raw.get("components", {}).get("schemas", {})
        self._compiled: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self.components = {name: self._convert(schema) for name, schema in components.items()}

    def _convert(self, schema: Any) -> Any:
        return to_2020(schema) if self.old else schema

    def deref(self, node: Any) -> Any:
        """The object a reference points at (any number of steps), or the node itself."""
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target: Any = self.raw
            for part in node["$ref"][2:].split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def validator(self, schema: Any) -> jsonschema_rs.Draft202012Validator:
        """A compiled validator of one schema of the contract; formats count. Equal schemas share one."""
        key = json.dumps(schema, sort_keys=True, default=str)
        if key not in self._compiled:
            whole = self._convert(schema)
            names = self._reached(whole)
            if names:
                whole = {**whole, "components": {"schemas": {name: self.components[name] for name in names}}}
            self._compiled[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._compiled[key]

    def _reached(self, schema: Any) -> set[str]:
        """The components a schema refers to, directly or not: the rest would be compiled for nothing."""
        names: set[str] = set()
        open_ends = [schema]
        while open_ends:
            found = set(REFERENCE.findall(json.dumps(open_ends.pop(), default=str))) - names
            names |= found
            open_ends.extend(self.components[name] for name in found)
        return names
