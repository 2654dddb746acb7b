"""Values as their types: what an author wrote as text is read as what it is declared to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from engine.definition.error import DefinitionError
from engine.definition.yaml_caps import check_json, check_plain, is_small_json
from engine.inputs.variables import SWITCHES, word

_EMPTY: dict[str, Any] = {
    "string": "", "secret": "", "number": 0, "integer": 0, "float": 0.0, "boolean": False, "object": {},
}  # fmt: skip
KINDS = frozenset({
    *_EMPTY, "file", "array[string]", "array[number]", "array[object]", "array[boolean]", "array[file]", "array[any]",
})  # fmt: skip
_SHOWN = 60


def empty(kind: str) -> Any:
    """Return the value of a variable that has none."""
    return [] if kind.startswith("array") else _EMPTY.get(kind, "")


def typed(kind: str, value: Any) -> Any:
    """Return a value as its type, null and blank text as the type's empty one. Raises ValueError, in words."""
    if value is None or (value == "" and kind not in ("string", "secret")):
        return empty(kind)
    if kind.startswith("array"):
        return _array(kind, value)
    return _READERS[kind](value) if kind in _READERS else value


def kind_of(value: Any) -> str:
    """Return the type that a value looks like."""
    if isinstance(value, list):
        kinds = {kind_of(item) for item in value}
        plain = len(kinds) == 1 and kinds <= {"string", "number", "boolean"}
        return f"array[{kinds.pop()}]" if plain else "array[object]"
    found = ((bool, "boolean"), (int | float, "number"), (dict, "object"))
    return next((kind for known, kind in found if isinstance(value, known)), "string")


def _array(kind: str, value: Any) -> list[Any]:
    items = _from_json(value) if isinstance(value, str) else value
    if not isinstance(items, list):
        raise _no("list", value)
    read = _READERS.get(kind.removeprefix("array").strip("[]"))
    return [item if item is None else read(item) for item in items] if read else items


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else word(value)


def _number(value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    kinds: tuple[Callable[[str], int | float], ...] = (int, float)
    for kind in kinds if isinstance(value, str) else ():
        try:
            found = kind(value.strip())
            check_plain(found, (), None)
        except (ValueError, OverflowError, DefinitionError):
            continue
        return found
    raise _no("number", value)


def _switch(value: Any) -> bool:
    found = value if isinstance(value, bool) else SWITCHES.get(_text(value).strip().lower())
    if found is None:
        raise _no("boolean", value)
    return found


def _object(value: Any) -> dict[str, Any]:
    found = _from_json(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise _no("object", value)
    return found


def _from_json(text: str) -> Any:
    """The value of JSON text; None for what is none, or holds what a definition's own text may not."""
    if not is_small_json(text):
        return None
    try:
        value = json.loads(text)
        check_json(value)
    except (ValueError, RecursionError, DefinitionError):
        return None
    return value


def _no(called: str, value: Any) -> ValueError:
    return ValueError(f"'{_text(value)[:_SHOWN]}' is no {called}")


_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("string", "secret"), _text),
    **dict.fromkeys(("number", "integer", "float"), _number),
    "boolean": _switch,
    "object": _object,
}
