"""Turning whatever a node put out into plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

_MAX_DEPTH = 64


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return ``value`` as JSON values only (dict, list, str, int, float, bool, None).

    Node outputs hold the engine's own objects (segments, files, pydantic models, decimals); NaN and infinity,
    which JSON does not know, become null. What is nested too deep or of no known kind becomes its text.
    """
    # The usual kinds first: most of what passes here is plain, and asking an abstract class is slow.
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is dict and depth < _MAX_DEPTH:
        return {_text(str(key)): jsonable(item, depth + 1) for key, item in value.items()}
    if value is None or kind is bool:
        return value
    if isinstance(value, Enum):
        return jsonable(value.value, depth)
    if isinstance(value, int):
        # Larger numbers than 64 bits cannot be written; as text nothing of them is lost.
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= _MAX_DEPTH:
        return str(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): jsonable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item, depth + 1) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return _object(value, depth)


def _link(file: Any) -> str | None:
    try:
        url: str | None = file.generate_url()
        return url
    except RuntimeError:
        # Outside of the engine's own threads nothing is known of links; they are put in when the file is shown.
        address: str | None = file.remote_url
        return address


def _text(value: str) -> str:
    # A lone surrogate cannot be written as UTF-8 and would end the stream in the middle.
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8")
    return value  # the very text: a copy for each place that shows it could take any memory


def _object(value: Any, depth: int) -> Any:
    if hasattr(value, "value_type") and hasattr(value, "to_object"):  # a segment or a variable
        return jsonable(value.to_object(), depth + 1)
    if hasattr(value, "dify_model_identity"):  # a file
        fields = value.model_dump(mode="python")
        return jsonable({**fields, "related_id": value.related_id, "url": _link(value)}, depth + 1)
    if hasattr(value, "model_dump"):
        return jsonable(value.model_dump(mode="python"), depth + 1)
    return str(value)
