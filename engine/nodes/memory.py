"""A conversation's earlier turns, as the prompt messages a model with memory sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphon.file import file_manager
from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    ImagePromptMessageContent,
    PromptMessage,
    PromptMessageContentUnionTypes,
    TextPromptMessageContent,
    UserPromptMessage,
)

from engine.files.runtime import graph_file
from engine.models.tokens import OF_MESSAGE, OF_PICTURE, tokens_of
from engine.running.cancel import Cancelled
from engine.running.context import Turn

_MOST_PICTURES = 8  # of earlier questions: each is read, and sent, again


@dataclass(frozen=True)
class History:
    """``turns`` are oldest first. ``reserved`` tokens are taken by the rest of the prompt; ``detail`` is that of the
    pictures which a model that sees is shown again.
    """

    turns: Sequence[Turn]
    reserved: int = 0
    detail: ImagePromptMessageContent.DETAIL | None = None

    def beside(self, texts: Iterable[str]) -> History:
        """Return the history for a prompt that also has these texts: they take their part of the tokens."""
        return replace(self, reserved=self.reserved + sum(tokens_of(text) + OF_MESSAGE for text in texts))

    def last(self, messages: int) -> History:
        """Return the history of the newest turns only: at most so many messages."""
        return replace(self, turns=self.turns[-max(1, messages // 2) :])

    def seen(self, detail: ImagePromptMessageContent.DETAIL) -> History:
        """Return the history with the pictures that its questions came with."""
        return replace(self, detail=detail)

    def get_history_prompt_messages(
        self, max_token_limit: int = 2000, message_limit: int | None = None
    ) -> Sequence[PromptMessage]:
        """Return the newest turns within ``max_token_limit`` tokens and ``message_limit`` messages."""
        kept: list[tuple[Turn, list[Mapping[str, Any]]]] = []
        budget, left = max_token_limit - self.reserved, _MOST_PICTURES if self.detail else 0
        for turn in reversed(self.turns):
            pictures = [file for file in turn.files if file.get("type") == "image"][:left]
            budget -= tokens_of(turn.query) + tokens_of(turn.answer) + 2 * OF_MESSAGE + len(pictures) * OF_PICTURE
            if budget < 0:
                break
            left -= len(pictures)
            kept.insert(0, (turn, pictures))
        messages = [message for turn, pictures in kept for message in self._messages(turn, pictures)]
        return messages[-message_limit:] if message_limit else messages

    def _messages(self, turn: Turn, pictures: Sequence[Mapping[str, Any]]) -> list[PromptMessage]:
        shown = [found for one in pictures if (found := self._shown(one)) is not None]
        asked: Any = [*shown, TextPromptMessageContent(data=turn.query)] if shown else turn.query
        return [UserPromptMessage(content=asked), AssistantPromptMessage(content=turn.answer)]

    def _shown(self, file: Mapping[str, Any]) -> PromptMessageContentUnionTypes | None:
        """A picture as a model is shown it; None for one that is gone, which is no reason to answer nothing."""
        try:
            return file_manager.to_prompt_message_content(graph_file(file), image_detail_config=self.detail)
        except Cancelled:
            raise
        except Exception:
            return None
