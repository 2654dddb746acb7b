"""How many of a run's nodes may work at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.models.table import ModelTable
from engine.models.used import models_in
from engine.tools import web_page
from engine.tools.registry import built_in

_PARALLEL_WORKERS = 4


def workers_for(graph: Mapping[str, Any], models: ModelTable) -> int:
    """Return how many nodes may run at once.

    More than one only pays where branches run side by side *and* something in the graph waits for the
    outside; otherwise one worker gives the same order of events on every repetition, at no cost.
    """
    outgoing: dict[tuple[str, str], set[str]] = {}
    for edge in graph["edges"]:
        outgoing.setdefault((edge["source"], edge.get("sourceHandle") or "source"), set()).add(edge["target"])
    fans_out = any(len(targets) > 1 for targets in outgoing.values())
    parallel = any(node["data"].get("is_parallel") for node in graph["nodes"])
    waits = any(_waits(node["data"], models) for node in graph["nodes"])
    return _PARALLEL_WORKERS if waits and (fans_out or parallel) else 1


def _waits(data: Mapping[str, Any], models: ModelTable) -> bool:
    """Whether a node waits for something outside: a server, or a model that takes its time."""
    match data.get("type"):
        case "http-request":
            return True
        case "tool":
            tool = built_in(str(data.get("provider_id") or data.get("provider_name")), str(data.get("tool_name")))
            return tool is None or tool in web_page.TOOLS
    return any(_takes_time(one, models) for one in models_in(data) if isinstance(one, Mapping))


def _takes_time(model: Mapping[str, Any], models: ModelTable) -> bool:
    choice = models.choose(str(model.get("provider") or ""), str(model.get("name") or model.get("model") or ""))
    given = model.get("completion_params")
    parameters = given if isinstance(given, Mapping) else {}
    return choice.backend.kind != "echo" or any(parameters.get(name) for name in ("delay_ms", "first_delay_ms"))
