"""The echo model: answers ``echo: <what the user said>``, word by word, the same every time.

Every provider and model name maps to it, so an app runs without a key. These ``completion_params`` steer it:
``delay_ms`` (pause before each piece, milliseconds), ``chunks`` (answer with that many numbered words
instead) and ``error`` (fail with this text after the pieces).
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMResultChunk
from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageRole

from engine.models.base import BaseModelAdapter


class ModelError(ValueError):
    """The model refused or failed."""


class EchoModel(BaseModelAdapter):
    """Deterministic stand-in for a language model."""

    def chunks(
        self, messages: Sequence[PromptMessage], parameters: Mapping[str, Any]
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the answer word by word, looking at the run's cancel flag before each."""
        began = time.perf_counter()
        settings = {**self.parameters, **parameters}
        pause = _number(settings.get("delay_ms")) / 1000
        words = _words(messages, settings)
        for index, word in enumerate(words):
            self.cancel.check()
            if pause > 0:
                self.cancel.sleep(pause)
            yield self.chunk(index, word)
        if settings.get("error"):
            raise ModelError(str(settings["error"]))
        yield self.chunk(len(words), "", usage=self.usage(self.get_llm_num_tokens(messages), len(words), began))


def _words(messages: Sequence[PromptMessage], settings: Mapping[str, Any]) -> list[str]:
    schema = settings.get("json_schema")
    if isinstance(schema, Mapping):
        return [json.dumps(_sample(schema))]
    count = int(_number(settings.get("chunks")))
    if count > 0:
        return [f"w{index} " for index in range(count)]
    users = [m for m in messages if m.role == PromptMessageRole.USER] or list(messages)
    words = f"echo: {users[-1].get_text_content() if users else ''}".split(" ")
    return [*(f"{word} " for word in words[:-1]), words[-1]]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _sample(schema: Mapping[str, Any]) -> Any:
    """The smallest value that a simple JSON Schema accepts."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _sample(part) for name, part in (schema.get("properties") or {}).items()}
    plain: dict[str, Any] = {"string": "sample", "number": 1, "integer": 1, "boolean": True, "array": []}
    return plain.get(str(kind), "sample")
