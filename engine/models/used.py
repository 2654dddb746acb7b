"""Which models an app's definition names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def models_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the language models of a stored definition as (provider, name), each once, in order of names."""
    config = document.get("model_config")
    found = [_pair(config.get("model"))] if isinstance(config, Mapping) else []
    graph = document.get("graph") or {}
    for node in graph.get("nodes") or []:
        found += [_pair(model) for model in models_in(node.get("data") or {})]
    return sorted({pair for pair in found if pair is not None})


def spoken_of(provider: str, name: str) -> str:
    """A model as people call it: ``openai/gpt-4o``."""
    return "/".join(part for part in (provider, name) if part) or "(no model named)"


def models_in(data: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what a node's data says of each model it asks, as it is written there."""
    if "model" in data:
        yield data["model"]
    if data.get("retrieval_mode") == "single" and isinstance(data.get("single_retrieval_config"), Mapping):
        yield data["single_retrieval_config"].get("model")
    given = data.get("agent_parameters")
    for parameter in given.values() if isinstance(given, Mapping) else ():
        value = parameter.get("value") if isinstance(parameter, Mapping) else None
        if isinstance(value, Mapping) and value.get("model_type", "llm") == "llm" and "provider" in value:
            yield value


def _pair(model: Any) -> tuple[str, str] | None:
    if not isinstance(model, Mapping):
        return None
    return str(model.get("provider") or ""), str(model.get("name") or model.get("model") or "")
