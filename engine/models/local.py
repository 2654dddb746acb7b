"""A small real model on this machine, in a process of its own: the ``local`` extra.

The process speaks the chat completions protocol, so what is told to it and understood from it is the same as
for any other server.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMResultChunk
from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageTool

from engine.models.local_server import running
from engine.models.openai_chat import OpenAIModel

_MAX_TOKENS = 512  # a tiny model that is not told when to stop goes on until its context is full


class LocalModel(OpenAIModel):
    """The local model; every name means the same one."""

    def endpoint(self) -> tuple[str, str | None]:
        """Where the process listens; started if it is not running."""
        server = running(self.backend)
        return f"{server.address}/v1", server.key

    def chunks(
        self,
        messages: Sequence[PromptMessage],
        parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool],
        stop: Sequence[str],
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the answer as it arrives, when it is the caller's turn: the process itself would let who asks first
        keep out all others.
        """
        with running(self.backend).turns.place(self.cancel):
            yield from super().chunks(messages, parameters, tools, stop)

    def request(
        self,
        messages: Sequence[PromptMessage],
        parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool],
        stop: Sequence[str],
    ) -> dict[str, Any]:
        """The request, with a bound on the answer's length."""
        return {"max_tokens": _MAX_TOKENS, **super().request(messages, parameters, tools, stop)}
