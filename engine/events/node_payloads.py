"""The data of the events that tell of one node: its start, its end, another attempt, and an agent's steps.

``shared`` are the members that all events of one execution have in common, as `engine.events.mapper` keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphon import engine_events as ev

from engine.definition.graph_names import GraphNames
from engine.events.failures import in_words
from engine.events.jsonable import jsonable
from engine.events.moments import seconds, unix
from engine.events.truncate import truncate

_HEAD = ("id", "node_id", "node_type", "title", "index", "predecessor_node_id")
_SCOPE = ("iteration_id", "iteration_index", "loop_id")


def started(shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of ``node_started``."""
    scope = {k: shared.get(k) for k in _SCOPE}
    data = {k: v for k, v in shared.items() if k not in ("began", *scope)}
    return {**data, "extras": {}, **scope}


def finished(
    shared: Mapping[str, Any], status: str, error: str | None, finished_at: int, elapsed: float
) -> dict[str, Any]:
    """Return the data of ``node_finished``; ``finished_at`` in Unix seconds, ``elapsed`` in seconds."""
    return {
        **{k: shared[k] for k in _HEAD},
        "inputs": None,
        "process_data": None,
        "outputs": None,
        "status": status,
        "error": error,
        "elapsed_time": elapsed,
        "execution_metadata": None,
        "created_at": shared["created_at"],
        "finished_at": finished_at,
        "files": [],
        **{k: shared.get(k) for k in _SCOPE},
    }


def retried(event: ev.NodeRunRetryEvent, shared: Mapping[str, Any], names: GraphNames) -> dict[str, Any]:
    """Return the data of ``node_retry``: what the attempt that failed was given and gave, cut where it is long."""
    result = event.node_run_result
    full: dict[str, Any] = {}
    for name in ("inputs", "process_data", "outputs"):
        full[name], full[f"{name}_truncated"] = truncate(jsonable(getattr(result, name)))
    return {
        "id": event.id,
        "node_id": event.node_id,
        "node_type": names.kind(event),
        "title": names.title(event.node_id),
        "index": shared["index"],
        "predecessor_node_id": None,
        **full,
        "status": "retry",
        "error": in_words(event.error),
        "elapsed_time": seconds(event.start_at, None),
        "execution_metadata": None,
        "created_at": shared["created_at"],
        "finished_at": unix(None),
        "files": [],
        **names.scope(event),
        "iteration_index": shared.get("iteration_index"),
        "retry_index": event.retry_index,
    }


def agent_log(event: ev.NodeRunAgentLogEvent) -> dict[str, Any]:
    """Return the data of ``agent_log``."""
    data, _ = truncate(jsonable(event.data))
    return {
        "node_execution_id": event.node_execution_id,
        "id": event.message_id,
        "label": event.label,
        "parent_id": event.parent_id,
        "error": event.error,
        "status": event.status,
        "data": data,
        "metadata": jsonable(event.metadata),
        "node_id": event.node_id,
    }
