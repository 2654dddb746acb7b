"""What every language model adapter shares: its description, token estimate and result shapes."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from graphon.model_runtime.entities.common_entities import I18nObject
from graphon.model_runtime.entities.llm_entities import (
    LLMResult,
    LLMResultChunk,
    LLMResultChunkDelta,
    LLMResultChunkWithStructuredOutput,
    LLMResultWithStructuredOutput,
    LLMUsage,
)
from graphon.model_runtime.entities.message_entities import AssistantPromptMessage, PromptMessage
from graphon.model_runtime.entities.model_entities import (
    AIModelEntity,
    FetchFrom,
    ModelFeature,
    ModelPropertyKey,
    ModelType,
)

from engine.cancel import CancelToken

_CONTEXT_TOKENS = 32_768


class BaseModelAdapter:
    """One instance per node: the engine assigns ``parameters`` on it. Subclasses yield chunks in `chunks`."""

    def __init__(
        self, provider: str, model_name: str, parameters: Mapping[str, Any] | None, cancel: CancelToken
    ) -> None:
        self.provider = provider
        self.model_name = model_name or "default"
        self.parameters: Mapping[str, Any] = dict(parameters or {})
        self.stop: Sequence[str] | None = None
        self.cancel = cancel

    def chunks(
        self, messages: Sequence[PromptMessage], parameters: Mapping[str, Any]
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the answer piece by piece; the last piece carries the usage."""
        raise NotImplementedError

    def get_model_schema(self) -> AIModelEntity:
        """Describe the model to the engine (context size, features)."""
        return AIModelEntity(
            model=self.model_name,
            label=I18nObject(en_US=self.model_name),
            model_type=ModelType.LLM,
            features=[ModelFeature.STRUCTURED_OUTPUT],
            fetch_from=FetchFrom.CUSTOMIZABLE_MODEL,
            model_properties={ModelPropertyKey.MODE: "chat", ModelPropertyKey.CONTEXT_SIZE: _CONTEXT_TOKENS},
            parameter_rules=[],
        )

    def get_llm_num_tokens(self, prompt_messages: Sequence[PromptMessage]) -> int:
        """Estimate the tokens of a prompt: four characters each, and four for every message."""
        return sum(max(1, len(m.get_text_content()) // 4) + 4 for m in prompt_messages)

    def is_structured_output_parse_error(self, error: Exception) -> bool:
        """Whether the model answered, but not with the JSON that was asked for."""
        return isinstance(error, json.JSONDecodeError)

    def invoke_llm(
        self,
        *,
        prompt_messages: Sequence[PromptMessage],
        model_parameters: Mapping[str, Any],
        tools: object,
        stop: Sequence[str] | None,
        stream: bool,
    ) -> Any:
        """Answer a prompt, in pieces when ``stream`` is set."""
        pieces = self.chunks(prompt_messages, model_parameters)
        if stream:
            return pieces
        text, usage = "", LLMUsage.empty_usage()
        for piece in pieces:
            text += str(piece.delta.message.content or "")
            usage = piece.delta.usage or usage
        return LLMResult(
            model=self.model_name,
            prompt_messages=list(prompt_messages),
            message=AssistantPromptMessage(content=text, tool_calls=[]),
            usage=usage,
        )

    def invoke_llm_with_structured_output(
        self,
        *,
        prompt_messages: Sequence[PromptMessage],
        json_schema: Mapping[str, Any],
        model_parameters: Mapping[str, Any],
        stop: Sequence[str] | None,
        stream: bool,
    ) -> Any:
        """Answer a prompt with JSON that follows ``json_schema``."""
        parameters = {**model_parameters, "json_schema": json_schema}
        result = self.invoke_llm(
            prompt_messages=prompt_messages, model_parameters=parameters, tools=None, stop=stop, stream=False
        )
        value = json.loads(result.message.content)
        if stream:
            return self._structured(result, value)
        fields = result.model_dump(exclude={"prompt_messages", "message"})
        return LLMResultWithStructuredOutput(**fields, message=result.message, structured_output=value)

    def _structured(self, result: LLMResult, value: Any) -> Generator[LLMResultChunk, None, None]:
        kind = LLMResultChunkWithStructuredOutput
        yield self.chunk(0, str(result.message.content), kind=kind)
        yield self.chunk(1, "", usage=result.usage, kind=kind, structured_output=value)

    def chunk(
        self,
        index: int,
        text: str,
        *,
        usage: LLMUsage | None = None,
        kind: type[LLMResultChunk] = LLMResultChunk,
        **extra: Any,
    ) -> LLMResultChunk:
        """Make one piece of an answer; the piece with the usage is the last."""
        delta = LLMResultChunkDelta(
            index=index,
            message=AssistantPromptMessage(content=text, tool_calls=[]),
            usage=usage,
            finish_reason="stop" if usage is not None else None,
        )
        return kind(model=self.model_name, delta=delta, **extra)

    def usage(self, prompt_tokens: int, completion_tokens: int, began: float) -> LLMUsage:
        """Make the usage record of an answer that began at ``began`` (monotonic seconds)."""
        took = time.perf_counter() - began
        return LLMUsage.from_metadata(
            {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
                "latency": took,
            }
        )
