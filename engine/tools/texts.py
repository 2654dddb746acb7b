"""The provider ``text``: small things that models are bad at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.tools.tool import MAX_TEXT, Parameter, Result, Tool, ToolContext, ToolProblem

_CHANGES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "trim": str.strip,
    "reverse": lambda text: text[::-1],
    "sort_lines": lambda text: "\n".join(sorted(text.splitlines())),
    "unique_lines": lambda text: "\n".join(dict.fromkeys(text.splitlines())),
}
_TEXT = Parameter("text", required=True, description="the text")


def _change(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    return Result(_CHANGES[arguments["operation"]](arguments["text"]))


def _count(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    text = arguments["text"]
    value = {"characters": len(text), "words": len(text.split()), "lines": len(text.splitlines())}
    if arguments.get("find"):
        value["found"] = text.count(arguments["find"])
    return Result(", ".join(f"{name}: {number}" for name, number in value.items()), value)


def _replace(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    text, find, replacement = arguments["text"], arguments["find"], arguments["replacement"]
    if len(text) + text.count(find) * (len(replacement) - len(find)) > MAX_TEXT:
        raise ToolProblem(f"The text would be longer than {MAX_TEXT} characters")
    return Result(text.replace(find, replacement))


TOOLS = (
    Tool(
        "text", "change", "Change text", "Changes case, order or space of a text.",
        (_TEXT, Parameter("operation", required=True, options=tuple(_CHANGES))), _change,
    ),
    Tool(
        "text", "count", "Count text", "Counts characters, words and lines, and how often a text is in it.",
        (_TEXT, Parameter("find", description="text to count")), _count,
    ),
    Tool(
        "text", "replace", "Replace text", "Puts one text in the place of another.",
        (_TEXT, Parameter("find", required=True), Parameter("replacement", default="")), _replace,
    ),
)  # fmt: skip
