"""What each comparison operator asks of a value, by the value's type.

The engine's own takes what the author wrote as it stands: ``[5] contains "5"`` was false, ``3 = "3.0"`` failed with an
error of Python's, and so did ``true is "True"``, which is how a template writes it. Here the expected value, which is
text in most definitions, is read as what it is compared with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from graphon.file.models import File

from engine.inputs.variables import SWITCHES

_SHOWN = 40
# Of nothing, only these hold.
_TRUE_OF_NOTHING = ("empty", "null", "not exists", "not contains", "not in")


class CannotCompare(ValueError):
    """A comparison that has no answer; the text names the value and the operator."""


def holds(name: str, actual: Any, operator: str, expected: Any) -> bool:
    """Whether a value, called ``name``, is as a condition demands. Raises CannotCompare."""
    if operator in _WITHOUT_EXPECTED:
        return _WITHOUT_EXPECTED[operator](actual)
    # Zero and false are nothing only where text or a list is asked for.
    if actual is None or (not actual and operator in _OF_TEXT_OR_LIST):
        return operator in _TRUE_OF_NOTHING
    try:
        return _ASKED[operator](actual, expected, operator)
    except _Unfit as unfit:
        raise CannotCompare(unfit.told(name, operator)) from None


class _Unfit(Exception):
    def __init__(self, value: Any, wanted: str = "") -> None:
        super().__init__(wanted)
        self.value, self.wanted = value, wanted

    def told(self, name: str, operator: str) -> str:
        if not self.wanted:
            return f"'{operator}' cannot be asked of {name}, which is {_called(self.value)}"
        shown = str(self.value)[:_SHOWN]
        return f"'{operator}' compares {name} with {self.wanted}, not with '{shown}'"


def _called(value: Any) -> str:
    kinds = ((bool, "a boolean"), (int | float, "a number"), (str, "text"), (list, "a list"), (File, "a file"))
    return next((called for kind, called in kinds if isinstance(value, kind)), "an object")


def _contains(actual: Any, expected: Any, operator: str) -> bool:
    if isinstance(actual, str):
        found = _text(expected) in actual
    elif isinstance(actual, list):
        found = any(_same(item, expected) for item in actual)
    else:
        raise _Unfit(actual)
    return found == (operator == "contains")


def _begins_or_ends(actual: Any, expected: Any, operator: str) -> bool:
    if not isinstance(actual, str):
        raise _Unfit(actual)
    return actual.startswith(_text(expected)) if operator == "start with" else actual.endswith(_text(expected))


def _is(actual: Any, expected: Any, operator: str) -> bool:
    if isinstance(actual, bool):
        same = actual == _switch(expected)
    elif isinstance(actual, int | float):
        same = actual == _number(expected)
    elif isinstance(actual, str):
        same = actual == _text(expected)
    else:
        raise _Unfit(actual)
    return same == (operator == "is")


def _in(actual: Any, expected: Any, operator: str) -> bool:
    return any(_same(actual, item) for item in _list(expected)) == (operator == "in")


def _all_of(actual: Any, expected: Any, operator: str) -> bool:
    wanted = _list(expected)
    if isinstance(actual, str):
        return all(_text(item) in actual for item in wanted)
    if isinstance(actual, list):
        return all(any(_same(item, one) for item in actual) for one in wanted)
    raise _Unfit(actual)


def _equals(actual: Any, expected: Any, operator: str) -> bool:
    if isinstance(actual, bool):
        same = actual == _switch(expected)
    elif isinstance(actual, int | float):
        same = actual == _number(expected)
    else:
        raise _Unfit(actual)
    return same == (operator == "=")


def _is_beside(actual: Any, expected: Any, operator: str) -> bool:
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        raise _Unfit(actual)
    wanted = _number(expected)
    if operator in (">", "≥"):
        return actual > wanted or (operator == "≥" and actual == wanted)
    return actual < wanted or (operator == "≤" and actual == wanted)


def _same(item: Any, expected: Any) -> bool:
    """Whether an item of a list is what the author wrote; what cannot be compared is not."""
    try:
        return _is(item, expected, "is")
    except _Unfit:
        return bool(item == expected)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _number(value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = _text(value).strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise _Unfit(text, "a number")


def _switch(value: Any) -> bool:
    found = value if isinstance(value, bool) else SWITCHES.get(_text(value).strip().lower())
    if found is None:
        raise _Unfit(value, "true or false")
    return found


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        # A template that refers to a list gives its JSON.
        try:
            read = json.loads(value)
        except ValueError:
            read = None
        value = read if isinstance(read, list) else value
    if isinstance(value, list | tuple):
        return list(value)
    raise _Unfit(value, "a list")


_WITHOUT_EXPECTED: dict[str, Callable[[Any], bool]] = {
    "empty": lambda value: not value,
    "not empty": bool,
    "null": lambda value: value is None,
    "not exists": lambda value: value is None,
    "not null": lambda value: value is not None,
    "exists": lambda value: value is not None,
}
_OF_TEXT_OR_LIST = ("contains", "not contains", "start with", "end with", "in", "not in", "all of")
_ASKED: dict[str, Callable[[Any, Any, str], bool]] = {
    **dict.fromkeys(("contains", "not contains"), _contains),
    **dict.fromkeys(("start with", "end with"), _begins_or_ends),
    **dict.fromkeys(("is", "is not"), _is),
    **dict.fromkeys(("in", "not in"), _in),
    "all of": _all_of,
    **dict.fromkeys(("=", "≠"), _equals),
    **dict.fromkeys((">", "<", "≥", "≤"), _is_beside),
}
