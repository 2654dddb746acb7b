"""The echo model: answers ``echo: <what the user said>``, word by word, the same every time.

It needs no key and no network, so every app runs on it. It answers JSON by schema, and classifiers and
extractors sensibly. A script (`engine.models.echo_script`) makes it do anything else a model may do: wait,
think, call tools over several turns, cost tokens, fail at once or in the middle.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMResultChunk
from graphon.model_runtime.entities.message_entities import (
    ImagePromptMessageContent,
    PromptMessage,
    PromptMessageRole,
    PromptMessageTool,
)

from engine.models import echo_answers as answers
from engine.models.base import BaseModelAdapter, tool_call
from engine.models.echo_script import Script, last_question, question, script_for, turn_of, without_markers
from engine.models.errors import KINDS, InvokeBadRequestError
from engine.models.json_answers import wanted_schema
from engine.models.sample import sample

EXTRACTOR = "extract_parameters"
_PICTURE = ImagePromptMessageContent(
    format="png",
    mime_type="image/png",
    base64_data="iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==",
)


class EchoModel(BaseModelAdapter):
    """Deterministic stand-in for a language model."""

    answer_bytes = 0
    """Longest answer, as of a model's server (UTF-8); 0 does not bound it."""
    _failures = 0

    def chunks(
        self,
        messages: Sequence[PromptMessage],
        parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool],
        stop: Sequence[str],
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the answer word by word, looking at the run's cancel flag before each."""
        began = time.perf_counter()
        settings = {**self.parameters, **parameters}
        script = script_for(messages, settings, turn_of(messages))
        calls = _calls(script, messages, tools)
        pieces = _pieces(script, messages, settings, tools, bool(calls), self.answer_bytes)
        fails = script.error is not None and (script.fail_times is None or self._failures < script.fail_times)
        self.cancel.sleep(script.first_delay_ms / 1000)
        due = time.monotonic()
        for index, piece in enumerate(pieces):
            if fails and index == script.error_after:
                break
            # By the clock, as a model elsewhere would speak: how long a word takes to be sent on delays no other.
            due += script.delay_ms / 1000
            self.cancel.sleep(max(0.0, due - time.monotonic()))
            yield self.chunk(index, piece)
        if script.image:
            yield self.chunk(len(pieces), [_PICTURE])
        if fails:
            self._failures += 1
            raise KINDS[script.error_kind](script.error)
        prompt, completion = script.usage.prompt_tokens, script.usage.completion_tokens
        usage = self.usage(
            self.get_llm_num_tokens(messages) if prompt is None else prompt,
            len(pieces) + len(calls) if completion is None else completion,
            began,
        )
        reason = script.finish_reason or ("tool_calls" if calls else "stop")
        yield self.chunk(len(pieces), "", usage=usage, finish_reason=reason, tool_calls=calls)


def _calls(script: Script, messages: Sequence[PromptMessage], tools: Sequence[PromptMessageTool]) -> list[Any]:
    if not tools:
        return []
    if not script.tool_calls and script.answer is None and (extractor := _extractor(tools)):
        found = answers.extracted(extractor.parameters, answers.context_of(_said(messages)), script.answer_json)
        return [tool_call("call_0", extractor.name, json.dumps(found, ensure_ascii=False))]
    turn = turn_of(messages)
    return [
        tool_call(f"call_{turn}_{index}", call.name, _arguments(call.arguments))
        for index, call in enumerate(script.tool_calls)
    ]


def _extractor(tools: Sequence[PromptMessageTool]) -> PromptMessageTool | None:
    return next((tool for tool in tools if tool.name == EXTRACTOR), None)


def _arguments(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _filled(answer: str, said: str, most: int) -> str:
    # Attack: an answer of nothing but `{query}` makes hundreds of megabytes of a question that is no long one.
    size = len(answer.encode()) + answer.count("{query}") * (len(said.encode()) - len("{query}"))
    if most and size > most:
        raise InvokeBadRequestError(f"the echo model would answer more than {most} bytes, which an answer may have")
    return answer.replace("{query}", said)


def _pieces(
    script: Script,
    messages: Sequence[PromptMessage],
    settings: Mapping[str, Any],
    tools: Sequence[PromptMessageTool],
    calls: bool,
    most: int,
) -> list[str]:
    thoughts = _split(f"<think>{script.reasoning}</think>\n") if script.reasoning else []
    if script.chunks:
        return [*thoughts, *(f"w{index} " for index in range(script.chunks))]
    said = _said(messages)
    if script.answer is not None:
        return [*thoughts, *_split(_filled(script.answer, said, most))]
    if calls:
        return thoughts
    if script.tool_calls:
        return [*thoughts, *_split(_action(script))]
    schema = wanted_schema(settings)
    if schema is not None or script.answer_json is not None:
        value = sample(schema) if script.answer_json is None else script.answer_json
        found = None if schema is not None else answers.extraction(said, script.answer_json)
        return [*thoughts, found or json.dumps(value, ensure_ascii=False)]
    special = answers.classified(said, script.category) or answers.extraction(said, None)
    if special is not None:
        return [*thoughts, special]
    text = f"echo: {_observed(messages) or said}"
    return [*thoughts, *_split(_final(text) if _acts(messages, tools) else text)]


def _split(text: str) -> list[str]:
    words = text.split(" ")
    return [*(f"{word} " for word in words[:-1]), words[-1]]


def _said(messages: Sequence[PromptMessage]) -> str:
    """What the user said last; in a prompt without a user, what was said last."""
    return "".join(_told(message) for message in question(messages) or messages[-1:])


def _told(message: PromptMessage) -> str:
    parts = message.content if isinstance(message.content, list) else []
    files = [f" [{part.type} {part.filename or part.mime_type}]" for part in parts if part.type != "text"]
    return without_markers(message.get_text_content()) + "".join(files)


def _observed(messages: Sequence[PromptMessage]) -> str:
    """What the tools found that were called for the last question."""
    asked = last_question(messages)
    after = messages[asked + 1 :] if asked is not None else []
    results = [m.get_text_content() for m in after if m.role == PromptMessageRole.TOOL]
    for message in after if not results else []:
        _, marked, found = message.get_text_content().rpartition("Observation:")
        results += [found.strip()] if marked else []
    return " ".join(results)


def _acts(messages: Sequence[PromptMessage], tools: Sequence[PromptMessageTool]) -> bool:
    """Whether the prompt asks for actions as text (ReAct)."""
    return not tools and any(
        "Final Answer" in m.get_text_content() for m in messages if m.role == PromptMessageRole.SYSTEM
    )


def _action(script: Script) -> str:
    call = script.tool_calls[0]
    action = json.dumps({"action": call.name, "action_input": call.arguments}, ensure_ascii=False)
    return f"Thought: I need {call.name}.\nAction:\n```json\n{action}\n```"


def _final(text: str) -> str:
    action = json.dumps({"action": "Final Answer", "action_input": text}, ensure_ascii=False)
    return f"Thought: I know the answer.\nAction:\n```json\n{action}\n```"
