"""Whether a run that has no checkpoint may be begun again from its start: only if nobody but its readers can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.tools.registry import built_in

Data = Mapping[str, Any]


def is_repeatable(document: Data) -> bool:
    """Whether nothing in the graph of ``document`` acts on the world: asking a model twice, reading, computing.

    HTTP requests and tools of imported APIs act, and so does a change of what a conversation remembers. A type that
    is not known here counts as one that does.
    """
    return not acting_nodes(document)


def acting_nodes(document: Data) -> set[str]:
    """The ids of the nodes that may act on the world."""
    return {node["id"] for node in document["graph"]["nodes"] if not _harmless(node.get("data") or {})}


def _harmless(data: Data) -> bool:
    kind = data.get("type")
    if kind in _HARMLESS or not kind:
        return True
    judge = _JUDGED.get(str(kind))
    return judge is not None and judge(data)


def _tool(data: Data) -> bool:
    # The server's own only read and compute.
    provider = str(data.get("provider_id") or data.get("provider_name") or "")
    return built_in(provider, str(data.get("tool_name") or "")) is not None


def _tools(listed: object) -> bool:
    given = [] if listed is None else listed
    return isinstance(given, list) and all(
        isinstance(one, Mapping) and (one.get("enabled") is False or _tool(one)) for one in given
    )


def _agent(data: Data) -> bool:
    parameters = data.get("agent_parameters")
    given = parameters.get("tools") if isinstance(parameters, Mapping) else None
    return _tools(given.get("value") if isinstance(given, Mapping) else given)


def _assigner(data: Data) -> bool:
    items = data.get("items")
    targets = [
        data.get("assigned_variable_selector"),
        *(
            one.get("variable_selector")
            for one in (items if isinstance(items, list) else [])
            if isinstance(one, Mapping)
        ),
    ]
    return not any(isinstance(target, list) and target[:1] == ["conversation"] for target in targets)


_HARMLESS = frozenset(
    {
        "start", "end", "answer", "if-else", "iteration", "iteration-start", "loop", "loop-start", "loop-end",
        "variable-aggregator", "variable-assigner", "list-operator", "llm", "question-classifier",
        "parameter-extractor", "code", "template-transform", "document-extractor", "knowledge-retrieval",
        "easy-knowledge",
        # What it asks is told, mailed and kept in one transaction: from then on there is a checkpoint.
        "human-input",
    }
)  # fmt: skip
_JUDGED: dict[str, Callable[[Data], bool]] = {
    "tool": _tool,
    "agent": _agent,
    "easy-agent": lambda data: _tools(data.get("tools")),
    "assigner": _assigner,
}
