"""Answers that are to be JSON: the schema they must follow, and what was written, read as it was meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from json_repair import repair_json

from engine.models.thoughts import without_thoughts

_LONGEST_REPAIR, _MOST_NESTED = 200_000, 2_000  # characters, braces
_MOST_TRIED = 200  # braces where an object is looked for
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


def wanted_schema(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the JSON Schema that an answer must follow: a mapping, or an app's parameter with its text."""
    schema = parameters.get("json_schema")
    if isinstance(schema, str) and parameters.get("response_format") == "json_schema":
        try:
            schema = json.loads(schema)
        except ValueError:
            return None
    if not isinstance(schema, Mapping):
        return None
    inner = schema.get("schema")  # what the protocol wraps around it: a name, and whether it is strict
    return dict(inner if isinstance(inner, Mapping) and "type" not in schema else schema)


def read_json(text: str) -> Any:
    """Read the JSON of an answer, also from within a code fence or after thoughts. Raises JSONDecodeError."""
    text = without_thoughts(text).strip()
    fenced = _FENCE.fullmatch(text)
    text = fenced[1] if fenced else text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = repaired(text)
    if not isinstance(value, dict):
        raise json.JSONDecodeError("The answer is not a JSON object", text[:200], 0)
    return value


def repaired(text: str) -> Any:
    """Read what is nearly JSON: with a comma too many, a brace too few, the wrong quotes. None where it is not."""
    if len(text) > _LONGEST_REPAIR or text.count("{") + text.count("[") > _MOST_NESTED:
        return None  # it would take minutes
    with suppress(ValueError, RecursionError):
        return repair_json(text, return_objects=True)
    return None


def objects_in(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the JSON objects that stand in a text, and where each begins; they may hold line breaks in their texts."""
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    for _ in range(_MOST_TRIED):
        if at < 0:
            return
        with suppress(ValueError, RecursionError):
            yield at, decoder.raw_decode(text, at)[0]
        at = text.find("{", at + 1)
