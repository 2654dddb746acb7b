"""Shortening the values that events show in full, so that one big list does not make every event big."""

from __future__ import annotations

from typing import Any

import orjson

TEXT = 100_000
ITEMS = 1_000
BYTES = 1_024_000
_TOO_BIG = "[too large to be shown]"


def truncate(value: Any) -> tuple[Any, bool]:
    """Return a JSON value within the limits of an event, and whether anything was cut off."""
    try:
        short = _Cutter().cut(value)
        if len(orjson.dumps(short)) > BYTES:
            raise OverflowError
    except OverflowError:
        short = dict.fromkeys(value, _TOO_BIG) if isinstance(value, dict) else _TOO_BIG
    return short, short != value


class _Cutter:
    """Stops with OverflowError where the pieces are far too many: a thousand short ones could fill the memory."""

    def __init__(self) -> None:
        self._left = 2 * BYTES

    def cut(self, value: Any) -> Any:
        if isinstance(value, str):
            self._left -= min(len(value), TEXT)
            if self._left < 0:
                raise OverflowError
            return value[:TEXT]
        if isinstance(value, list):
            return [self.cut(item) for item in value[:ITEMS]]
        if isinstance(value, dict):
            return {key: self.cut(item) for key, item in value.items()}
        return value
