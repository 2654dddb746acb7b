"""How much a definition's text may hold, and which values.

The text comes from strangers, so this is asked before anything is built: at most 10 MB, 100 levels and
200,000 values (a long text counts as several) once aliases are expanded, which stops the "billion laughs", no
tags (``!!python/…`` would make objects), and no value that JSON cannot carry (``.nan``, numbers beyond 64
bits, NUL), since a definition is stored and sent as JSON. What is read in quadratic time is bounded far lower: the
digits of a number, and directives, which libyaml compares with each other.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml import CSafeLoader

from engine.definition.error import DefinitionError, Path, dotted

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100
MAX_VALUES = 200_000
TEXT_UNIT = 64
MAX_DIGITS = 400  # of a number as it is written; the longest that YAML's own writers make has 24
LONGEST_READ = 50_000
MAX_DIRECTIVES = 16

_DIRECTIVE = re.compile("(?:^|[\\r\\n\\x85\\u2028\\u2029])%TAG")
_DIGITS = re.compile("[-+.0-9_]+")
_JSON_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
TOO_LONG = "a number must fit in 64 bits; put it in quotes to make it text"

PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}


def broken(detail: str, path: Path = (), line: int | None = None) -> DefinitionError:
    """The error for text that is no usable YAML, to be raised."""
    return DefinitionError(f"Invalid YAML format: {detail}", dotted(path), line)


def measure(text: str) -> None:
    """Walk the parser's events, which cost neither recursion nor memory, before anything is built.

    Raises DefinitionError for what would be costly, yaml.YAMLError for what is not YAML.
    """
    if sum(1 for _ in _DIRECTIVE.finditer(text)) > MAX_DIRECTIVES:
        raise broken(f"more than {MAX_DIRECTIVES} %TAG directives")
    sizes: dict[str, tuple[int, int]] = {}
    # One frame for each open collection: its anchor, how many values it holds, how deep it reaches.
    frames: list[list[Any]] = [[None, 0, 0]]
    for event in yaml.parse(text, Loader=CSafeLoader):
        # The type stubs do not know that the parser always sets the mark.
        line = event.start_mark.line + 1  # type: ignore[union-attr]
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, count, depth = frames.pop()
            if anchor is not None:
                sizes[anchor] = (count, depth)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise broken(f"the alias *{event.anchor} refers to nothing, or to itself", line=line)
            count, depth = sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            tag = getattr(event, "tag", None)
            if tag not in (None, "!") and tag not in PLAIN_TAGS:
                raise broken(f"the tag {tag} is not allowed", line=line)
            if isinstance(event, yaml.CollectionStartEvent):
                if len(frames) > MAX_DEPTH:
                    raise broken(f"more than {MAX_DEPTH} levels deep", line=line)
                frames.append([event.anchor, 1, 1])
                continue
            written = getattr(event, "value", "")
            # Shorter ones are refused with their key, once it is known.
            if len(written) > LONGEST_READ and not getattr(event, "style", "") and _DIGITS.fullmatch(written):
                raise broken(TOO_LONG, line=line)
            # A long text behind an alias is written out each time too, so its length counts.
            count, depth = 1 + len(written) // TEXT_UNIT, 1
            if event.anchor is not None:
                sizes[event.anchor] = (count, depth)
        else:
            continue
        frame = frames[-1]
        frame[1] += count
        frame[2] = max(frame[2], depth + 1)
        if frame[1] > MAX_VALUES:
            raise broken(f"more than {MAX_VALUES} values", line=line)
        if len(frames) - 1 + depth > MAX_DEPTH:
            raise broken(f"more than {MAX_DEPTH} levels deep", line=line)


def is_small_json(text: str) -> bool:
    """Whether JSON text cannot hold more values than there may be, told before any of them is built."""
    bare = _JSON_TEXT.sub("", text)
    return max(bare.count(",") + 1, bare.count("[") + bare.count("{")) <= MAX_VALUES


def check_json(value: Any) -> None:
    """The caps and the plain values of `measure` and `_build`, for what JSON has read already."""
    waiting: list[tuple[Any, Path]] = [(value, ())]
    seen = 0
    while waiting:
        item, path = waiting.pop()
        seen += 1
        if len(path) >= MAX_DEPTH:
            raise broken(f"more than {MAX_DEPTH} levels deep")
        if seen > MAX_VALUES:
            raise broken(f"more than {MAX_VALUES} values")
        if isinstance(item, dict):
            for name, child in item.items():
                check_plain(name, path, None)
                waiting.append((child, (*path, name)))
        elif isinstance(item, list):
            waiting.extend((child, (*path, index)) for index, child in enumerate(item))
        else:
            check_plain(item, path, None)


def check_plain(value: Any, path: Path, line: int | None) -> None:
    """Refuse a scalar that JSON, or a database column of JSON, cannot carry."""
    if isinstance(value, float) and not math.isfinite(value):
        raise broken("a number must be finite", path, line)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise broken(TOO_LONG, path, line)
    if isinstance(value, str) and "\0" in value:
        raise broken("a text must not contain the NUL character", path, line)
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise broken("a text must not contain half a character", path, line)
