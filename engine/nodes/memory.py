"""A conversation's earlier turns, as the prompt messages a model with memory sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    PromptMessage,
    UserPromptMessage,
)

from engine.models.tokens import OF_MESSAGE, tokens_of


class History:
    """Turns are (query, answer) pairs, oldest first; at most the last 500 are kept."""

    def __init__(self, turns: Sequence[tuple[str, str]], reserved: int = 0) -> None:
        self._turns = list(turns)[-500:]
        self._reserved = reserved

    def beside(self, texts: Iterable[str]) -> History:
        """Return the history for a prompt that also has these texts: they take their part of the tokens."""
        return History(self._turns, self._reserved + sum(tokens_of(text) + OF_MESSAGE for text in texts))

    def last(self, messages: int) -> History:
        """Return the history of the newest turns only: at most so many messages."""
        return History(self._turns[-max(1, messages // 2) :], self._reserved)

    def get_history_prompt_messages(
        self, max_token_limit: int = 2000, message_limit: int | None = None
    ) -> Sequence[PromptMessage]:
        """Return the newest turns within ``max_token_limit`` tokens and ``message_limit`` messages."""
        messages: list[PromptMessage] = []
        budget = max_token_limit - self._reserved
        for query, answer in reversed(self._turns):
            budget -= tokens_of(query) + tokens_of(answer) + 2 * OF_MESSAGE
            if budget < 0:
                break
            messages[:0] = [UserPromptMessage(content=query), AssistantPromptMessage(content=answer)]
        return messages[-message_limit:] if message_limit else messages
