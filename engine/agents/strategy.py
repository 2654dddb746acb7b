"""How an agent's model is asked, and how it says which tools it wants."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageTool

from engine.agents.steps import Call, Observed
from engine.models.base import BaseModelAdapter


@dataclass(frozen=True)
class Turn:
    """One answer of the model: ``answer`` is None while it wants ``calls``; ``message`` is kept in the prompt."""

    thought: str
    calls: tuple[Call, ...]
    answer: str | None
    message: PromptMessage
    usage: LLMUsage


class Strategy(Protocol):
    """Without state: the prompt holds all that happened."""

    def system(self, instruction: str, tools: Sequence[PromptMessageTool]) -> str:
        """Return the system message."""

    def ask(
        self,
        model: BaseModelAdapter,
        messages: Sequence[PromptMessage],
        tools: Sequence[PromptMessageTool],
        last: bool,
    ) -> Generator[str, None, Turn]:
        """Yield what the person may read while it comes; return the turn."""

    def observe(self, results: Sequence[Observed]) -> list[PromptMessage]:
        """Return the messages that tell the model what its calls gave."""
