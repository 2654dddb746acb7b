"""Asking a model once, outside any run: for an operator who wants to know whether it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphon.model_runtime.entities.message_entities import UserPromptMessage

from engine.models.errors import InvokeError
from engine.models.registry import adapter
from engine.models.table import Choice
from engine.running.cancel import CancelToken


@dataclass(frozen=True)
class Spent:
    """The tokens of an answer."""

    prompt_tokens: int
    completion_tokens: int


class TrialError(Exception):
    """The model did not answer; the text says why."""


def ask(choice: Choice, provider: str, prompt: str) -> Iterator[str | Spent]:
    """Yield the answer's pieces, and what it cost last. Raises TrialError."""
    model = adapter(choice, provider, {"temperature": 0, "max_tokens": 200}, CancelToken())
    try:
        for piece in model.chunks([UserPromptMessage(content=prompt)], {}, (), ()):
            if piece.delta.message.content:
                yield str(piece.delta.message.content)
            if piece.delta.usage is not None:
                yield Spent(piece.delta.usage.prompt_tokens, piece.delta.usage.completion_tokens)
    except InvokeError as error:
        raise TrialError(str(error)) from None
