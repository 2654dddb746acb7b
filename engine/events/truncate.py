"""Shortening the values that events show in full, so that one big list does not make every event big."""

from __future__ import annotations

from typing import Any

import orjson

TEXT = 100_000
ITEMS = 1_000
BYTES = 1_024_000
_TOO_BIG = "[too large to be shown]"


def truncate(value: Any) -> tuple[Any, bool]:
    """Return a JSON value within the limits of an event, and whether anything was cut off."""
    short = _cut(value)
    if len(orjson.dumps(short)) > BYTES:
        short = dict.fromkeys(short, _TOO_BIG) if isinstance(short, dict) else _TOO_BIG
    return short, short != value


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TEXT]
    if isinstance(value, list):
        return [_cut(item) for item in value[:ITEMS]]
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return value
