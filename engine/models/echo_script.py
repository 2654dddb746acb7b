"""What the echo model is told to do: from a node's ``completion_params``, or from a marker in the prompt.

A marker is ``[[echo {delay_ms: 20, error: "asleep"}]]``, in YAML's short form or as JSON, in a system message
or in the last user message. It wins over the parameters and is not part of the text that is answered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageRole
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.definition.error import DefinitionError
from engine.definition.yaml_guard import read
from engine.models.errors import KINDS, InvokeBadRequestError

_MARKER = re.compile(r"\s?\[\[echo\s+(\{.*?\})\s*\]\]", re.DOTALL)
_MAX_MARKER = 20_000


class ToolCall(BaseModel):
    """A call that the model asks for; ``arguments`` as text may be broken JSON on purpose."""

    model_config = ConfigDict(extra="forbid")

    name: str
    arguments: dict[str, Any] | str = {}


class Tokens(BaseModel):
    """What the answer is said to have cost."""

    model_config = ConfigDict(extra="forbid")

    prompt_tokens: Annotated[int, Field(ge=0, le=10**9)] | None = None
    completion_tokens: Annotated[int, Field(ge=0, le=10**9)] | None = None


class Script(BaseModel):
    """One answer. Everything is optional; without anything the model says what it was told."""

    model_config = ConfigDict(extra="ignore")

    answer: str | None = None
    """The text to answer; ``{query}`` in it stands for what the user said."""
    chunks: int = Field(0, ge=0, le=100_000)
    """Answer with this many numbered words instead."""
    delay_ms: float = Field(0, ge=0, le=600_000)
    """Pause before each piece, in milliseconds."""
    first_delay_ms: float = Field(0, ge=0, le=600_000)
    """Pause before the first piece, besides."""
    reasoning: str | None = None
    """Thoughts, sent before the answer between ``<think>`` and ``</think>``."""
    tool_calls: list[ToolCall] = []
    """Tools to call, in the first answer to a question; the next answer tells what they found."""
    answer_json: Any = Field(None, alias="json")
    """The value to answer where JSON is asked for; also the extractor's parameters, by name."""
    category: str | None = None
    """The classifier's answer: a category's name or id; one that does not exist is answered as it is."""
    image: bool = False
    """Send a picture after the text: a PNG of one grey pixel."""
    usage: Tokens = Tokens()
    finish_reason: str | None = None
    error: str | None = None
    """Fail with this text."""
    error_kind: Literal[*KINDS] = "error"  # type: ignore[valid-type]
    error_after: int | None = Field(None, ge=0, le=100_000)
    """Fail after this many pieces; without it, after all of them."""
    fail_times: int | None = Field(None, ge=0, le=1000)
    """Fail only this many times, then answer: for retries."""
    turns: list[dict[str, Any]] = []
    """A script for each answer to one question: the second after the first tools were called, and so on."""


def script_for(messages: Sequence[PromptMessage], parameters: Mapping[str, Any], turn: int) -> Script:
    """Return the script of one answer; ``turn`` counts the answers given to the same question before it.

    Raises InvokeBadRequestError, naming what cannot be used.
    """
    told = dict(parameters)
    for message in _spoken(messages):
        for found in _MARKER.finditer(message.get_text_content()):
            told |= _read(found[1])
    turns = told.pop("turns", None)
    script = _checked({**told, "turns": turns} if turns is not None else told)
    if turn < len(script.turns):
        return _checked({**told, **script.turns[turn]})
    if turn > 0:
        script = script.model_copy(update={"tool_calls": []})
    return script


def without_markers(text: str) -> str:
    """Return ``text`` without its markers."""
    return _MARKER.sub("", text)


def last_question(messages: Sequence[PromptMessage]) -> int | None:
    """Where the last message of the user is. An observation that an agent passes on as one does not count."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role == PromptMessageRole.USER and not _observed(message):
            return index
    return None


def question(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """The last question: one message, or several where files follow its text in messages of their own."""
    asked = last_question(messages)
    if asked is None:
        return []
    first = asked
    while first and not messages[first].get_text_content() and messages[first - 1].role == PromptMessageRole.USER:
        first -= 1
    return list(messages[first : asked + 1])


def turn_of(messages: Sequence[PromptMessage]) -> int:
    """How many answers the last question got so far, each of them a call of tools."""
    asked = last_question(messages)
    after = messages[asked + 1 :] if asked is not None else []
    spoken = sum(1 for m in after if m.role == PromptMessageRole.ASSISTANT)
    observed = sum(m.get_text_content().count("Observation:") for m in after)
    return max(spoken, observed)


def _observed(message: PromptMessage) -> bool:
    return message.get_text_content().lstrip().startswith("Observation:")


def _spoken(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    return [*(m for m in messages if m.role == PromptMessageRole.SYSTEM), *question(messages)]


def _read(text: str) -> dict[str, Any]:
    try:
        value, _ = read(text[:_MAX_MARKER])
    except DefinitionError:
        raise InvokeBadRequestError("The [[echo {…}]] marker cannot be read: it must hold a YAML mapping") from None
    if not isinstance(value, dict):
        raise InvokeBadRequestError("The [[echo {…}]] marker cannot be read: it must hold a YAML mapping")
    names = {field.alias or name for name, field in Script.model_fields.items()}
    unknown = sorted(set(value) - names)
    if unknown:
        raise InvokeBadRequestError(
            f"The [[echo {{…}}]] marker does not know '{unknown[0]}'; it knows {', '.join(sorted(names))}"
        )
    return value


def _checked(told: Mapping[str, Any]) -> Script:
    try:
        return Script.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvokeBadRequestError(f"The echo model cannot use '{where}': {first['msg']}") from None
