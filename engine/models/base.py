"""What every language model adapter shares: its description, token estimate and result shapes."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
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
from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    PromptMessage,
    PromptMessageTool,
)
from graphon.model_runtime.entities.model_entities import (
    AIModelEntity,
    FetchFrom,
    ModelFeature,
    ModelPropertyKey,
    ModelType,
)

from engine.models.json_answers import read_json
from engine.models.meter import Meter
from engine.models.tokens import OF_MESSAGE, tokens_of
from engine.running.cancel import CancelToken

_CONTEXT_TOKENS = 32_768
_ANSWER_TOKENS = 1024  # kept free for an answer whose author names no limit
_FEATURES = (
    ModelFeature.STRUCTURED_OUTPUT,
    ModelFeature.TOOL_CALL,
    ModelFeature.MULTI_TOOL_CALL,
    ModelFeature.STREAM_TOOL_CALL,
    ModelFeature.VISION,
)


class BaseModelAdapter:
    """One instance per node: the engine assigns ``parameters`` on it. Subclasses yield chunks in `chunks`."""

    def __init__(
        self, provider: str, model_name: str, parameters: Mapping[str, Any] | None, cancel: CancelToken
    ) -> None:
        self.provider = provider
        self.model_name = model_name or "default"
        self.parameters: Mapping[str, Any] = dict(parameters or {})
        self.stop: Sequence[str] | None = _words(self.parameters.get("stop"))
        self.cancel = cancel
        # The run's; a model that is asked outside any has its own.
        self.meter = Meter()

    context_tokens = _CONTEXT_TOKENS
    features: Sequence[ModelFeature] = _FEATURES

    def chunks(
        self,
        messages: Sequence[PromptMessage],
        parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool],
        stop: Sequence[str],
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the answer piece by piece; the last piece carries the usage and the whole tool calls.

        ``parameters`` may hold ``json_schema``: the answer must be JSON that follows it. Thoughts come in the
        text, between ``<think>`` and ``</think>``. Raises InvokeError (`engine.models.errors`), Cancelled.
        """
        raise NotImplementedError

    def get_model_schema(self) -> AIModelEntity:
        """Describe the model to the engine: its features, and as its context what prompts may have of it."""
        return AIModelEntity(
            model=self.model_name,
            label=I18nObject(en_US=self.model_name),
            model_type=ModelType.LLM,
            features=list(self.features),
            fetch_from=FetchFrom.CUSTOMIZABLE_MODEL,
            model_properties={ModelPropertyKey.MODE: "chat", ModelPropertyKey.CONTEXT_SIZE: self.prompt_room},
            parameter_rules=[],
        )

    def get_llm_num_tokens(self, prompt_messages: Sequence[PromptMessage]) -> int:
        """Estimate the tokens of a prompt."""
        return sum(tokens_of(m.get_text_content()) + OF_MESSAGE for m in prompt_messages)

    @property
    def prompt_room(self) -> int:
        """The tokens that a prompt may have: what the answer may need of the context is kept free."""
        asked = self.parameters.get("max_tokens") or self.parameters.get("max_completion_tokens")
        answer = asked if isinstance(asked, int) and asked > 0 else _ANSWER_TOKENS
        # An author who allows more than the model has did not mean to have all that was said forgotten.
        return self.context_tokens - min(answer, self.context_tokens // 2)

    def is_structured_output_parse_error(self, error: Exception) -> bool:
        """Whether the model answered, but not with the JSON that was asked for."""
        return isinstance(error, json.JSONDecodeError)

    def invoke_llm(
        self,
        *,
        prompt_messages: Sequence[PromptMessage],
        model_parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool] | None,
        stop: Sequence[str] | None,
        stream: bool,
    ) -> Any:
        """Answer a prompt, in pieces when ``stream`` is set."""
        answer = self.chunks(prompt_messages, model_parameters, tools or (), stop or self.stop or ())
        pieces = self.meter.counted(answer, lambda: self.get_llm_num_tokens(prompt_messages))
        if stream:
            return pieces
        text, usage = "", LLMUsage.empty_usage()
        calls: list[AssistantPromptMessage.ToolCall] = []
        for piece in pieces:
            text += str(piece.delta.message.content or "")
            calls += piece.delta.message.tool_calls
            usage = piece.delta.usage or usage
        return LLMResult(
            model=self.model_name,
            prompt_messages=list(prompt_messages),
            message=AssistantPromptMessage(content=text, tool_calls=calls),
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
        pieces = self.invoke_llm(
            prompt_messages=prompt_messages, model_parameters=parameters, tools=None, stop=stop, stream=stream
        )
        if stream:
            return self._structured(pieces)
        fields = pieces.model_dump(exclude={"prompt_messages", "message"})
        value = read_json(str(pieces.message.content))
        return LLMResultWithStructuredOutput(**fields, message=pieces.message, structured_output=value)

    def _structured(self, pieces: Iterable[LLMResultChunk]) -> Generator[LLMResultChunk, None, None]:
        text, count = "", 0
        for piece in pieces:
            text, count = text + str(piece.delta.message.content or ""), count + 1
            yield LLMResultChunkWithStructuredOutput(model=piece.model, delta=piece.delta)
        yield self.chunk(count, "", kind=LLMResultChunkWithStructuredOutput, structured_output=read_json(text))

    def chunk(
        self,
        index: int,
        text: str | list[Any],
        *,
        usage: LLMUsage | None = None,
        finish_reason: str | None = None,
        tool_calls: Sequence[AssistantPromptMessage.ToolCall] = (),
        kind: type[LLMResultChunk] = LLMResultChunk,
        **extra: Any,
    ) -> LLMResultChunk:
        """Make one piece of an answer, text or pictures; the piece with the usage is the last."""
        delta = LLMResultChunkDelta(
            index=index,
            message=AssistantPromptMessage(content=text, tool_calls=list(tool_calls)),
            usage=usage,
            finish_reason=finish_reason,
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


def _words(stop: Any) -> list[str]:
    """The texts at which an answer ends, as an app's parameters have them: a list, or just one."""
    given = stop if isinstance(stop, list) else [stop]
    return [word for word in given if isinstance(word, str) and word]


def sees(model: BaseModelAdapter) -> bool:
    """Whether a model can be shown pictures."""
    return ModelFeature.VISION in model.features


def tool_call(call_id: str, name: str, arguments: str) -> AssistantPromptMessage.ToolCall:
    """Make a tool call; ``arguments`` is JSON text."""
    function = AssistantPromptMessage.ToolCall.ToolCallFunction(name=name, arguments=arguments)
    return AssistantPromptMessage.ToolCall(id=call_id, type="function", function=function)
