"""JSON as a body: parsed within bounds, and refused where two readers could see two things in it.

Of members with the same name one parser takes the first and another the last (RFC 8259 section 4): a check that
reads one of them says nothing of what a handler reads.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from server.explain import MOST_DETAILS, Detail, Loc, detail
from store.refusal import Refusal

STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')


@dataclass(frozen=True, slots=True)
class JsonBounds:
    """The most members and list items of a body together (0: no limit), and its deepest nesting."""

    members: int = 20_000
    depth: int = 64


def parse(raw: bytes, bounds: JsonBounds) -> Any:
    """The value of a body. Raises ``malformed_json``, and ``invalid_param`` for one over the bounds, with a name twice
    in one object, or with NUL characters.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"(line {error.lineno}, column {error.colno})"
        raise Refusal("malformed_json", f"The body is not valid JSON {where}.") from None
    named = _measure(value, bounds)
    # Each member has one colon, and texts may have more: those are looked at only where the numbers differ.
    if raw.count(b":") != named and (written := STRING.sub(b"", raw).count(b":")) != named:
        if bounds.members and written > bounds.members:
            raise _too_many(bounds)
        raise Refusal("invalid_param", details=[_repeated(raw)])
    # A NUL can only stand in JSON escaped; no database column takes it.
    if b"\\u0000" in raw and (wrong := list(islice(_find_nul(value, ["body"]), MOST_DETAILS))):
        raise Refusal("invalid_param", details=wrong)
    return value


def _measure(value: Any, bounds: JsonBounds) -> int:
    """How many members all objects have. Goes down level by level: nothing here depends on the depth."""
    level = [value] if type(value) in (dict, list) else []
    named = counted = depth = 0
    while level:
        depth += 1
        if depth > bounds.depth:
            text = f"Values should be nested {bounds.depth} levels deep at most"
            raise Refusal("invalid_param", details=[detail("too_deep", ["body"], text)])
        for one in level:
            counted += len(one)
            if type(one) is dict:
                named += len(one)
        if bounds.members and counted > bounds.members:
            raise _too_many(bounds)
        level = [
            child
            for one in level
            for child in (one.values() if type(one) is dict else one)
            if type(child) in (dict, list)
        ]
    return named


def _too_many(bounds: JsonBounds) -> Refusal:
    text = f"There should be {bounds.members} members and list items at most"
    return Refusal("invalid_param", details=[detail("too_long", ["body"], text)])


def _repeated(raw: bytes) -> Detail:
    """Name the first member that an object has twice."""
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)

    json.loads(raw, object_pairs_hook=look)
    return detail("repeated", ["body", *twice[:1]], "A member should be given once")


def _find_nul(value: Any, loc: Loc) -> Iterator[Detail]:
    if isinstance(value, str):
        if "\x00" in value:
            yield detail("string_control_characters", loc, "NUL characters are not permitted")
    elif isinstance(value, dict):
        for key, item in value.items():
            if "\x00" in key:
                yield detail("string_control_characters", loc, "NUL characters are not permitted in names")
            else:
                yield from _find_nul(item, [*loc, key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_nul(item, [*loc, index])
