"""Reading a definition's text into plain JSON values, with a line for every value.

What is too large or cannot be JSON is refused by `engine.definition.yaml_caps`; here a key given twice is (the second
would silently win), and each key is kept as it was written.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from yaml import CSafeLoader, Node

from engine.definition.error import Path
from engine.definition.yaml_caps import (
    MAX_BYTES,
    MAX_DIGITS,
    PLAIN_TAGS,
    TOO_LONG,
    broken,
    check_json,
    check_plain,
    is_small_json,
    measure,
)

SHOWN = 40
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def read(source: str | bytes) -> tuple[Any, Node | None]:
    """Read YAML (or JSON, which is YAML) text.

    Returns the value, made of dict, list, str, int, float, bool and None only, every key a string; and the
    node tree, from which `line_of` tells lines. Raises DefinitionError.
    """
    text = _decode(source)
    if text.lstrip().startswith("{") and is_small_json(text):
        as_json = _json(text)
        if as_json is not None:
            return as_json, None
    try:
        measure(text)
        loader = CSafeLoader(text)
        try:
            root = loader.get_single_node()
            return (None, None) if root is None else (_build(loader, root, ()), root)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        detail = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
        raise broken(str(detail), line=None if mark is None else mark.line + 1) from error


def line_of(root: Node | None, path: Path) -> int | None:
    """The line of the value at ``path``, or of the nearest thing above it that is there."""
    if root is None:
        return None
    line, node = root.start_mark.line + 1, root
    for part in path:
        found: Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, found = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line


def _decode(source: str | bytes) -> str:
    if isinstance(source, str):
        # A character takes at least one byte, so the cheap test comes before the copy.
        try:
            if len(source) > MAX_BYTES or len(source.encode()) > MAX_BYTES:
                raise broken("larger than 10 MB")
        except UnicodeEncodeError as error:
            raise broken("the text holds half a character", line=source.count("\n", 0, error.start) + 1) from None
        text = source
    else:
        if len(source) > MAX_BYTES:
            raise broken("larger than 10 MB")
        try:
            text = source.decode("utf-8")
        except UnicodeDecodeError as error:
            raise broken("the text is not UTF-8", line=source.count(b"\n", 0, error.start) + 1) from error
    return text.removeprefix("\ufeff")


def _build(loader: CSafeLoader, node: Node, path: Path) -> Any:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*path, index)) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path)
    is_number = node.tag in _NUMBERS
    if node.tag not in PLAIN_TAGS or (is_number and ":" in node.value):
        # An unquoted date, `=` or `<<`, or a time of day, which YAML 1.1 took for a number to the base of 60 (in
        # quadratic time): the author wrote text, and JSON knows nothing else to make of it.
        value: Any = node.value
    elif is_number and len(node.value) > MAX_DIGITS:
        raise broken(TOO_LONG, path, line)
    else:
        try:
            value = loader.construct_object(node)
        except (ValueError, LookupError, ArithmeticError) as error:  # a tag that does not fit what it stands before
            raise broken(f"{str(node.value)[:SHOWN]!r} is not a value", path, line) from error
    check_plain(value, path, line)
    return value


def _mapping(loader: CSafeLoader, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
    given: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise broken("a key must be text", path, line)
        if key.tag == "tag:yaml.org,2002:merge":
            value = _build(loader, child, path)
            for part in value if isinstance(value, list) else [value]:
                if not isinstance(part, dict):
                    raise broken("a merge (<<) needs a mapping", path, line)
                for name, one in part.items():
                    merged.setdefault(name, one)
            continue
        # The text as written: YAML would read the keys `on` and `1` as a boolean and a number.
        name = key.value
        check_plain(name, path, line)
        if name in given:
            raise broken(f"the key {name[:SHOWN]!r} is given twice", (*path, name), line)
        given[name] = _build(loader, child, (*path, name))
    return {**merged, **given}


def _json(text: str) -> Any | None:
    """The value of JSON proper, whose surrogate pairs YAML cannot read.

    None when it is not JSON after all: YAML has braces too.
    """

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise broken(f"the key {name[:SHOWN]!r} is given twice", (name,))
            found[name] = value
        return found

    try:
        value = json.loads(text, object_pairs_hook=mapping)
    except (ValueError, RecursionError):
        # YAML's reader comes next. It has the caps, and says what is wrong with a line.
        return None
    check_json(value)
    return value
