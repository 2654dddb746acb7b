"""Mending HTTP request nodes: parts that are null, forms that are lines of text, times that are no whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.inputs.variables import word

_FORMS = ("form-data", "x-www-form-urlencoded")


def request(name: str, data: dict[str, Any], warnings: list[str]) -> None:
    """Mend a node's data in place; what was read as something else is told in ``warnings``."""
    if isinstance(data.get("method"), str):
        data["method"] = data["method"].upper()
    for key in ("headers", "params"):
        data[key] = data.get(key) or ""
    data["authorization"] = data.get("authorization") or {"type": "no-auth"}
    data["body"] = _body(name, data.get("body"), warnings)
    if isinstance(data.get("timeout"), Mapping):
        times = data["timeout"]
        data["timeout"] = {key: _seconds(times.get(key)) for key in ("connect", "read", "write")}
    if isinstance(data.get("ssl_verify"), str):
        data["ssl_verify"] = data["ssl_verify"].lower() != "false"


def _body(name: str, body: Any, warnings: list[str]) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        return {"type": "none", "data": []}
    kind, data = body.get("type") or "none", body.get("data") or []
    if isinstance(data, str) and kind in _FORMS:
        pairs = [line.partition(":") for line in data.splitlines() if line.strip()]
        data = [{"key": key.strip(), "type": "text", "value": value.strip()} for key, _, value in pairs]
        warnings.append(f"The body of the node '{name}' was lines of text; each was read as a field of the form.")
    if isinstance(data, list):
        data = [_field(one) if isinstance(one, Mapping) else one for one in data]
    return {**body, "type": kind, "data": data}


def _field(one: Mapping[str, Any]) -> dict[str, Any]:
    value = one.get("value")
    text = word(value) if isinstance(value, int | float) else value or ""
    return {**one, "key": one.get("key") or "", "type": one.get("type") or "text", "value": text,
            "file": one.get("file") or []}  # fmt: skip


def _seconds(value: Any) -> int | None:
    """A time as the whole seconds that the engine wants; none where there is no time in it."""
    try:
        return math.ceil(float(value)) or None
    except (TypeError, ValueError, OverflowError):
        return None
