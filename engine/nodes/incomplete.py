"""Why a node's settings cannot be used, in its author's words: the checks are the engine's, which speak of Python."""

from __future__ import annotations

import re

from pydantic import ValidationError

_OBJECT, _LIST = "Input should be an object", "Input should be a list"
_BY_TYPE = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _OBJECT),
    **dict.fromkeys(("is_instance_of", "sequence_str", "list_type"), _LIST),
}
_ENUM = re.compile(r"<\w+\.\w+: ('[^']*')>")
_SET = re.compile(r"frozenset\(\{(.*?)\}\)")


def incomplete(error: Exception) -> str:
    """Return where the settings are wrong, what is wrong, and which values there are."""
    if not isinstance(error, ValidationError):
        # Of other kinds of error only a programmer could make something.
        told = str(error) if isinstance(error, ValueError) else "a setting is not of the type that it must be"
        return f"The node is not complete: {told}"
    first = error.errors(include_url=False, include_input=False)[0]
    # A value that may be of several types is followed by the name of one.
    where = ".".join(str(part) for part in first["loc"] if part != "str") or "data"
    told = _BY_TYPE.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    if told == "Ellipsis":  # the engine has no words for a loop variable's type
        told = "this type is not possible here"
    # A choice is told by its values, not by what Python calls them, and always in one order.
    told = _SET.sub(lambda found: ", ".join(sorted(found[1].split(", "))), _ENUM.sub(r"\1", told))
    return f"The node is not complete: {where}: {told}"
