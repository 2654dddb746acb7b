"""How much a value holds, without writing it down: what one reference makes large may be written a thousand times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What may be given at once to a process that runs code or a template.
MOST_GIVEN = 16 * 1024 * 1024
_SMALL = 8  # what a number counts, and a place in a list


def weight(value: Any, most: int) -> int:
    """Return about how many characters a value holds; beyond ``most`` it is not counted to its end."""
    total, waiting = 0, [value]
    while waiting and total <= most:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            total += len(one)
        elif isinstance(one, Mapping):
            total += sum(len(name) + _SMALL if isinstance(name, str) else _SMALL for name in one)
            waiting += one.values()
        elif isinstance(one, list | tuple):
            total += _SMALL * len(one)
            if total <= most:
                waiting += one
        elif hasattr(one, "value_type"):  # a segment or a variable
            waiting.append(one.value)
        else:
            total += _SMALL
    return total
