"""Letting a model choose one of several datasets, as apps with the retrieval mode ``single`` want it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.model_runtime.entities.message_entities import SystemPromptMessage, UserPromptMessage
from graphon.model_runtime.entities.model_entities import ModelFeature

from engine.agents.agent import Given
from engine.knowledge.tool import tool_of
from engine.models.base import BaseModelAdapter
from engine.tools.tool import Result, ToolContext, ToolProblem
from store.datasets import Dataset

_CALL = "Call the one tool that is most likely to find what answers the user. Do not answer yourself."
_NAME = "Name the dataset that is most likely to hold what answers the user. There are:\n"


def choose(model: BaseModelAdapter, datasets: Sequence[Dataset], query: str) -> tuple[Sequence[Dataset], LLMUsage]:
    """Return the dataset that ``model`` chose, or all of them when it made no choice, and what asking it cost.

    Raises what the model raises.
    """
    if ModelFeature.TOOL_CALL in (model.get_model_schema().features or []):
        return _by_call(model, datasets, query)
    return _by_name(model, datasets, query)


def _by_call(model: BaseModelAdapter, datasets: Sequence[Dataset], query: str) -> tuple[Sequence[Dataset], LLMUsage]:
    tools = [Given(tool.name, tool) for tool in (tool_of(one, _unused) for one in datasets)]
    answer = model.invoke_llm(
        prompt_messages=[SystemPromptMessage(content=_CALL), UserPromptMessage(content=query)],
        model_parameters=model.parameters,
        tools=[one.for_model() for one in tools],
        stop=None,
        stream=False,
    )
    called = [call.function.name for call in answer.message.tool_calls]
    chosen = [dataset for tool, dataset in zip(tools, datasets, strict=True) if tool.name in called[:1]]
    return chosen or datasets, answer.usage


def _unused(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    raise ToolProblem("a tool that is only chosen")


def _by_name(model: BaseModelAdapter, datasets: Sequence[Dataset], query: str) -> tuple[Sequence[Dataset], LLMUsage]:
    listed = "\n".join(f"- {one.name}: {one.description}" for one in datasets)
    names = {"type": "string", "enum": [one.name for one in datasets]}
    schema = {
        "type": "object",
        "properties": {"dataset": names},
        "required": ["dataset"],
        "additionalProperties": False,
    }
    try:
        answer = model.invoke_llm_with_structured_output(
            prompt_messages=[SystemPromptMessage(content=_NAME + listed), UserPromptMessage(content=query)],
            json_schema=schema,
            model_parameters=model.parameters,
            stop=None,
            stream=False,
        )
    except json.JSONDecodeError:
        return datasets, LLMUsage.empty_usage()
    named = [one for one in datasets if one.name == answer.structured_output.get("dataset")]
    return named or datasets, answer.usage
