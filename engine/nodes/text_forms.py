"""How lists read in texts: in prompts, requests, conditions and answers.

The engine prints them as Python does (``[{'a': True}]``), which neither a model nor an API takes for JSON. Here a list
is JSON in plain text, and in an answer a line for each item, an object or a list among them as JSON.
"""

from __future__ import annotations

import json
from typing import Any

from graphon.file.models import File
from graphon.variables.segments import ArraySegment

from engine.events.jsonable import jsonable


def plain(values: list[Any]) -> str:
    """Return a list as one line of JSON; empty for an empty one."""
    return _json(values) if values else ""


def lines(values: list[Any]) -> str:
    """Return a list as Markdown: what is no list and no object as it is told alone, nothing for null."""
    return "\n".join(f"- {_item(value)}" for value in values)


def _item(value: Any) -> str:
    if isinstance(value, dict | list):
        return _json(value)
    if isinstance(value, File):
        return str(value.markdown)
    return "" if value is None else str(value)


def _json(value: Any) -> str:
    return json.dumps(jsonable(value), ensure_ascii=False)


def use() -> None:
    """Have the engine's lists read so; those of text and of files have texts of their own where they need them."""
    ArraySegment.text = property(lambda segment: plain(segment.value))
    ArraySegment.markdown = property(lambda segment: lines(segment.value))
