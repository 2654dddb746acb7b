"""Prompts in the words of the chat completions protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    PromptMessage,
    PromptMessageContentType,
    PromptMessageTool,
    ToolPromptMessage,
)

from engine.models.errors import InvokeBadRequestError
from engine.models.thoughts import without_thoughts


def messages_of(prompt: Sequence[PromptMessage]) -> list[dict[str, Any]]:
    """Return the messages of a prompt. Raises InvokeBadRequestError for a kind of file that cannot be sent."""
    return [_message(message) for message in prompt]


def tools_of(tools: Sequence[PromptMessageTool]) -> list[dict[str, Any]]:
    """Return the tools that may be called."""
    return [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
        }
        for t in tools
    ]


def schema_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response format that holds an answer to a JSON Schema."""
    wrapped = {"name": "output", "schema": dict(schema), "strict": _strict(schema)}
    return {"type": "json_schema", "json_schema": wrapped}


def told_schema(messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages with the schema in words, for a server that knows no response formats."""
    text = (
        "Answer with one JSON object and nothing else. It must follow this JSON Schema:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )
    first = dict(messages[0]) if messages else {}
    if first.get("role") == "system":
        return [{**first, "content": f"{first['content']}\n\n{text}"}, *(dict(m) for m in messages[1:])]
    return [{"role": "system", "content": text}, *(dict(m) for m in messages)]


def _message(message: PromptMessage) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role.value}
    if isinstance(message.content, list):
        made["content"] = [_part(part) for part in message.content]
    else:
        made["content"] = message.content or ""
    if isinstance(message, ToolPromptMessage):
        made["tool_call_id"] = message.tool_call_id
    if isinstance(message, AssistantPromptMessage):
        # What a model thought in an earlier turn is not to be told to it again.
        text = message.get_text_content()
        said = without_thoughts(text)
        made["content"] = text if said == text else said.lstrip()
        if message.tool_calls:
            made["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
                for call in message.tool_calls
            ]
    return made


def _part(part: Any) -> dict[str, Any]:
    match part.type:
        case PromptMessageContentType.TEXT:
            return {"type": "text", "text": part.data}
        case PromptMessageContentType.IMAGE:
            return {"type": "image_url", "image_url": {"url": part.data, "detail": part.detail.value}}
        case PromptMessageContentType.AUDIO if part.base64_data:
            return {"type": "input_audio", "input_audio": {"data": part.base64_data, "format": part.format}}
        case PromptMessageContentType.DOCUMENT if part.base64_data:
            return {"type": "file", "file": {"filename": part.filename or "file", "file_data": part.data}}
    raise InvokeBadRequestError(f"This kind of file cannot be sent to the model: {part.type.value}")


def _strict(schema: Any) -> bool:
    """Whether every object in a schema closes itself and requires all it has, which the strict mode wants."""
    if isinstance(schema, list):
        return all(_strict(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        names = set(schema.get("properties") or {})
        if schema.get("additionalProperties") is not False or names != set(schema.get("required") or []):
            return False
    return all(_strict(part) for part in schema.values())
