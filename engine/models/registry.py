"""Making the model that answers for a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphon.model_runtime.entities.model_entities import ModelFeature

from engine.models.backend import Backend
from engine.models.base import BaseModelAdapter
from engine.models.table import Choice, ModelTable
from engine.running.cancel import CancelToken

_FEATURES = {
    "tools": (ModelFeature.TOOL_CALL, ModelFeature.MULTI_TOOL_CALL, ModelFeature.STREAM_TOOL_CALL),
    "vision": (ModelFeature.VISION,),
    "documents": (ModelFeature.DOCUMENT,),
}


def make_model(
    table: ModelTable, provider: str, name: str, parameters: Mapping[str, Any] | None, cancel: CancelToken
) -> BaseModelAdapter:
    """Return a model of its own for one node. A library that a back end needs is loaded when it is asked."""
    choice = table.choose(provider, name)
    table.tell_once(provider, name, choice)
    return adapter(choice, provider, parameters, cancel)


def adapter(
    choice: Choice, provider: str, parameters: Mapping[str, Any] | None, cancel: CancelToken
) -> BaseModelAdapter:
    """Return the adapter of a choice."""
    made: BaseModelAdapter
    match choice.backend.kind:
        case "echo":
            from engine.models.echo import EchoModel

            echo = EchoModel(provider, choice.model, parameters, cancel)
            echo.answer_bytes = choice.backend.answer_bytes
            return echo
        case "openai":
            from engine.models.openai_chat import OpenAIModel

            made = OpenAIModel(choice, provider, parameters, cancel)
        case "local":
            from engine.models.local import LocalModel

            made = LocalModel(choice, provider, parameters, cancel)
    made.context_tokens = choice.backend.context_tokens
    made.features = features_of(choice.backend)
    return made


def features_of(backend: Backend) -> tuple[ModelFeature, ...]:
    """Return a back end's features in the engine's words."""
    # Structured output always: what a server cannot promise is asked for in words.
    known = [feature for name in backend.features for feature in _FEATURES.get(name, ())]
    return (ModelFeature.STRUCTURED_OUTPUT, *known)
