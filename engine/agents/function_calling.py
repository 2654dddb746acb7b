"""The strategy for models that know tools: they name the calls beside their text."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    PromptMessage,
    PromptMessageTool,
    ToolPromptMessage,
)

from engine.agents.steps import Call, Observed
from engine.agents.strategy import Turn
from engine.models.base import BaseModelAdapter


class FunctionCalling:
    """Text streams to the person as it comes; calls arrive whole."""

    def system(self, instruction: str, tools: Sequence[PromptMessageTool]) -> str:
        """Return the system message: the tools travel beside it."""
        return instruction

    def ask(
        self,
        model: BaseModelAdapter,
        messages: Sequence[PromptMessage],
        tools: Sequence[PromptMessageTool],
        last: bool,
    ) -> Generator[str, None, Turn]:
        """Yield the model's text; return its turn. In the last round it is offered no tools."""
        text, usage = "", LLMUsage.empty_usage()
        asked: list[AssistantPromptMessage.ToolCall] = []
        pieces = model.invoke_llm(
            prompt_messages=messages,
            model_parameters=model.parameters,
            tools=None if last else tools,
            stop=None,
            stream=True,
        )
        for piece in pieces:
            said = piece.delta.message.get_text_content()
            asked += piece.delta.message.tool_calls
            usage = piece.delta.usage or usage
            if said:
                text += said
                yield said
        calls = tuple(
            Call(
                call.id or f"call_{index}",
                call.function.name,
                _object(call.function.arguments),
                call.function.arguments,
            )
            for index, call in enumerate(asked)
        )
        return Turn(text, calls, None if calls else text, AssistantPromptMessage(content=text, tool_calls=asked), usage)

    def observe(self, results: Sequence[Observed]) -> list[PromptMessage]:
        """Return the messages that tell the model what its calls gave."""
        return [ToolPromptMessage(content=one.text, tool_call_id=one.call.id, name=one.call.name) for one in results]


def _object(written: str) -> dict[str, Any] | None:
    try:
        found = json.loads(written) if written.strip() else {}
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
