"""What a tool is: a name, what it takes, and a function from arguments to a result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.running.cancel import CancelToken

MAX_TEXT = 400_000  # characters of a result; more would not fit any prompt


class ToolProblem(ValueError):
    """The tool could not do it; the text is for the model or the author."""


@dataclass(frozen=True)
class ToolContext:
    """What a call may use: the flag that ends the run, the guarded HTTP client, the time, and a reader of HTML.

    ``html`` gives the text of a page, in UTF-8; it raises ValueError. ``keep`` stores a file (content, name, media
    type) and returns its file value.
    """

    cancel: CancelToken
    http: Any
    now: Callable[[], datetime]
    html: Callable[[bytes], str]
    keep: Callable[[bytes, str, str], dict[str, Any]]


@dataclass(frozen=True)
class Result:
    """What a call gave: text for people and models, and the value behind it where there is one.

    ``resources`` are the passages of knowledge that it rests on, ``files`` the values of those it made.
    """

    text: str
    value: dict[str, Any] | list[Any] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    resources: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Parameter:
    """One argument. ``type`` is a JSON Schema type; ``schema`` stands in for it where that says more."""

    name: str
    type: str = "string"
    description: str = ""
    required: bool = False
    default: Any = None
    options: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    def as_schema(self) -> dict[str, Any]:
        """Return the argument's JSON Schema."""
        made: dict[str, Any] = dict(self.schema) if self.schema is not None else {"type": self.type}
        if self.description:
            made.setdefault("description", self.description)
        if self.options:
            made["enum"] = list(self.options)
        if self.default is not None:
            made.setdefault("default", self.default)
        return made


@dataclass(frozen=True)
class Tool:
    """A tool. ``call`` takes complete, converted arguments; it raises `ToolProblem` or `Cancelled`."""

    provider: str
    name: str
    label: str
    description: str
    parameters: tuple[Parameter, ...]
    call: Callable[[Mapping[str, Any], ToolContext], Result]

    def schema(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON Schema of the arguments, for a model; without those that the author has given."""
        open_ones = [one for one in self.parameters if one.name not in (given or {})]
        made: dict[str, Any] = {"type": "object", "properties": {one.name: one.as_schema() for one in open_ones}}
        required = [one.name for one in open_ones if one.required]
        return {**made, "required": required} if required else made

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> Result:
        """Call the tool with what an author or a model gave. Raises `ToolProblem`, `Cancelled`."""
        context.cancel.check()
        result = self.call(self._complete(arguments), context)
        if len(result.text) > MAX_TEXT:
            raise ToolProblem(f"The tool '{self.name}' gave more than {MAX_TEXT} characters")
        return result

    def _complete(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        complete: dict[str, Any] = {}
        for one in self.parameters:
            value = arguments.get(one.name)
            if value is None or (value == "" and one.type != "string"):
                value = one.default
            if value is None:
                if one.required:
                    raise ToolProblem(f"The tool '{self.name}' needs the argument '{one.name}'")
                continue
            complete[one.name] = _converted(one, value, self.name)
        return complete


def _converted(one: Parameter, value: Any, tool: str) -> Any:
    """The value as its type: authors' templates and models often give text where a number is meant."""
    try:
        converted = _CONVERT[one.type](value) if one.type in _CONVERT else value
    except (ValueError, TypeError):
        raise ToolProblem(f"The argument '{one.name}' of the tool '{tool}' must be of type {one.type}") from None
    if one.options and converted not in one.options:
        listed = ", ".join(one.options)
        raise ToolProblem(f"The argument '{one.name}' of the tool '{tool}' must be one of: {listed}")
    return converted


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError
    return int(value)


def _number(value: Any) -> float | int:
    if isinstance(value, bool):
        raise ValueError
    return value if isinstance(value, (int, float)) else float(value) if "." in value or "e" in value else int(value)


def _switch(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise ValueError
    return found


def _of(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        found = json.loads(value) if isinstance(value, str) else value
        if not isinstance(found, kind):
            raise TypeError
        return found

    return convert


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "integer": _whole,
    "number": _number,
    "boolean": _switch,
    "array": _of(list),
    "object": _of(dict),
}
