"""The datasets that an app without a workflow names, and how it wants them searched."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def knowledge_of(config: Mapping[str, Any], *, agent: bool = False) -> dict[str, Any] | None:
    """Return what a ``knowledge-retrieval`` node would have from a ``model_config``; None if it names no dataset.

    Newer definitions list datasets in ``dataset_configs``, older ones among the agent's tools; those of a chat
    (not ``agent``) count while its agent is switched on.
    """
    settings = _mapping(config.get("dataset_configs"))
    mode = _mapping(config.get("agent_mode"))
    listed = _list(_mapping(settings.get("datasets")).get("datasets"))
    if agent or mode.get("enabled", True):
        listed = [*listed, *_list(mode.get("tools"))]
    ids = [str(one["id"]) for one in map(_dataset, listed) if one.get("id") and one.get("enabled", True)]
    if not ids:
        return None
    return {
        "dataset_ids": list(dict.fromkeys(ids)),
        "retrieval_mode": "single" if settings.get("retrieval_model") == "single" else "multiple",
        "multiple_retrieval_config": {
            "top_k": settings.get("top_k"),
            "score_threshold": settings.get("score_threshold"),
            "score_threshold_enabled": bool(settings.get("score_threshold_enabled")),
        },
        "metadata_filtering_mode": settings.get("metadata_filtering_mode"),
        "metadata_filtering_conditions": _mapping(settings.get("metadata_filtering_conditions")) or None,
    }


def datasets_of(document: Mapping[str, Any]) -> list[str]:
    """Return the datasets that a stored definition names, each once."""
    config = _mapping(document.get("model_config"))
    found = _list((knowledge_of(config, agent=document.get("mode") == "agent-chat") or {}).get("dataset_ids"))
    for one in _list(_mapping(document.get("graph")).get("nodes")):
        data = _mapping(_mapping(one).get("data"))
        if data.get("type") == "knowledge-retrieval":
            found = [*found, *_list(data.get("dataset_ids"))]
    return list(dict.fromkeys(map(str, found)))


def how_to_add(name: str) -> str:
    """Return the command that lets an app's id mean a dataset of this server."""
    return f"difyspec datasets create NAME --for {shlex.quote(name)}"


def _dataset(one: Any) -> Mapping[str, Any]:
    return _mapping(_mapping(one).get("dataset"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
