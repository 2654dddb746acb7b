"""From the texts of a request to values: numbers, booleans, and UUIDs in one spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,30})").fullmatch
DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?").fullmatch
PLAIN_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}").fullmatch
PARSE_ERRORS = {
    "integer": ("int_parsing", "Input should be a valid integer"),
    "number": ("float_parsing", "Input should be a valid number"),
    "boolean": ("bool_parsing", "Input should be true or false"),
}


def integer(text: str) -> int:
    """Plain decimal digits to an int. Raises ``ValueError``."""
    if WHOLE(text) is None:
        raise ValueError
    return int(text)


def number(text: str) -> float:
    """A JSON number to a float. Raises ``ValueError``."""
    if DECIMAL(text) is None or math.isinf(float(text)):
        raise ValueError
    return float(text)


def boolean(text: str) -> bool:
    """``true`` or ``false``, in any case. Raises ``ValueError``."""
    lower = text.lower()
    if lower not in ("true", "false"):
        raise ValueError
    return lower == "true"


def one_spelling(text: str) -> str:
    """A UUID in lower case with dashes; anything else as it was (validation then says so)."""
    lower = text.lower()
    if PLAIN_UUID(lower) is None:
        return text
    digits = lower.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


CONVERT: dict[str, Callable[[str], Any]] = {"integer": integer, "number": number, "boolean": boolean}
