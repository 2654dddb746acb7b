"""Checks and conversions of plain values, one function for each kind of variable.

In: the variable and a value that is not null. Out: the value a run sees. Raises InputProblem.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from engine.inputs import object_schema
from engine.inputs.problem import InputProblem
from engine.inputs.variables import SWITCHES, Variable

_WHOLE = re.compile(r"[+-]?\d{1,400}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d{1,400}\.\d{0,400}|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII)


def check_text(variable: Variable, value: Any) -> str:
    """A string of at most ``max_length`` characters."""
    if not isinstance(value, str):
        raise InputProblem(f"(type '{variable.type}') {variable.name} in input form must be a string", "string_type")
    if variable.max_length is not None and len(value) > variable.max_length:
        raise InputProblem(
            f"{variable.name} in input form must be less than {variable.max_length} characters",
            "string_too_long",
        )
    return value


def check_select(variable: Variable, value: Any) -> str:
    """One of the options."""
    if not isinstance(value, str):
        raise InputProblem(f"(type '{variable.type}') {variable.name} in input form must be a string", "string_type")
    if value not in variable.options:
        raise InputProblem(
            f"{variable.name} in input form must be one of the following: {list(variable.options)}",
            "literal_error",
        )
    return value


def check_number(variable: Variable, value: Any) -> int | float | None:
    """A number, or the text of one.

    Blank text is no value. Not finite, or a whole number beyond 64 bits, is refused.
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        value = _number(value.strip())
    elif isinstance(value, bool):
        value = int(value)
    elif not isinstance(value, int | float):
        shown = f"got {type(value).__name__}, value: {str(value)[:100]}"
        raise InputProblem(f"expected value type int, float or str, {shown}", "number_type")
    if value is None or not _storable(value):
        raise InputProblem(f"{variable.name} in input form must be a valid number", "number_parsing")
    return value


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else None


def _storable(value: int | float) -> bool:
    return math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63


def check_switch(variable: Variable, value: Any) -> bool | None:
    """True or false, in any of the spellings forms send; blank text is no value."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return value == 1
    if isinstance(value, str):
        if not value.strip():
            return None
        known = SWITCHES.get(value.strip().lower())
        if known is not None:
            return known
    if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value)):
        raise InputProblem(f"Invalid input type for ['{variable.name}']", "invalid_type")
    raise InputProblem(f"(type 'checkbox') {variable.name} in input form must be a boolean", "bool_type")


def check_object(variable: Variable, value: Any) -> Mapping[str, Any]:
    """An object that matches the variable's own schema, if it has one."""
    if not isinstance(value, Mapping):
        if value:
            raise InputProblem(f"{variable.name} in input form must be a dict", "dict_type")
        raise InputProblem(f"JSON object for '{variable.name}' must be an object", "dict_type")
    if variable.json_schema is not None:
        reason = object_schema.mismatch(variable.json_schema, value)
        if reason is not None:
            shown = reason if len(reason) <= 500 else reason[:500] + "…"
            raise InputProblem(f"JSON object for '{variable.name}' does not match schema: {shown}", "json_schema")
    return value
