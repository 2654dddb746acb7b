"""A conversation's earlier turns, as the prompt messages an LLM node with memory sees."""

from __future__ import annotations

from collections.abc import Sequence

from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    PromptMessage,
    UserPromptMessage,
)


class History:
    """Turns are (query, answer) pairs, oldest first; at most the last 500 are kept."""

    def __init__(self, turns: Sequence[tuple[str, str]]) -> None:
        self._turns = list(turns)[-500:]

    def get_history_prompt_messages(
        self, max_token_limit: int = 2000, message_limit: int | None = None
    ) -> Sequence[PromptMessage]:
        """Return the newest turns within ``max_token_limit`` tokens and ``message_limit`` messages."""
        messages: list[PromptMessage] = []
        budget = max_token_limit
        for query, answer in reversed(self._turns):
            budget -= len(query) // 4 + len(answer) // 4 + 8
            if budget < 0:
                break
            messages[:0] = [UserPromptMessage(content=query), AssistantPromptMessage(content=answer)]
        return messages[-message_limit:] if message_limit else messages
