"""The request body of an operation: its members become arguments beside the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.tools.openapi_schema import parameter, resolved, schema_of, type_of

FORM = "application/x-www-form-urlencoded"


def body_of(document: dict[str, Any], operation: Mapping[str, Any], taken: set[str]) -> dict[str, Any] | None:
    """Return ``{content_type, whole, parameters}``, or None without a body.

    ``whole`` says that there is one argument, the body itself. Raises ValueError for a body that cannot be sent.
    """
    body = resolved(document, operation.get("requestBody"))
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(content, dict) or not content:
        return None
    kind = next((kind for kind in content if _is_json(kind)), FORM if FORM in content else "")
    if not kind:
        kind = next((kind for kind in content if kind.lower().startswith("text/")), "")
    if not kind:
        raise ValueError(f"its body is of type {', '.join(map(str, content))[:100]}")
    media = content[kind] if isinstance(content[kind], dict) else {}
    schema = schema_of(document, media.get("schema"))
    properties = schema.get("properties") or {}
    required = body.get("required") is True
    if type_of(schema) == "object" and properties and not (set(properties) & taken) and not kind.startswith("text/"):
        needed = set(schema.get("required") or []) if required else set()
        members = [parameter(document, name, part, required=name in needed) for name, part in properties.items()]
        return {"content_type": kind, "whole": False, "parameters": members}
    name = "body"
    while name in taken:
        name += "_"
    told = body.get("description") or "the request's body"
    return {"content_type": kind, "whole": True, "parameters": [parameter(document, name, schema, told, required)]}


def _is_json(kind: str) -> bool:
    plain = kind.split(";")[0].strip().lower()
    return plain == "application/json" or plain.endswith("+json") or plain == "*/*"
