"""Datasets as tools of an agent: the model asks them when it wants to, in words of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from engine.agents.agent import Given
from engine.knowledge.citations import cited
from engine.knowledge.lookup import Knowledge, LookupFailed
from engine.knowledge.retrieval import Retrieval, retrieval_of
from engine.tools.tool import Parameter, Result, Tool, ToolContext, ToolProblem
from store.datasets import Dataset

_NOTHING = "Nothing was found."
_QUERY = Parameter("query", required=True, description="what to look for, in a few words or as a question")


def dataset_tools(knowledge: Knowledge, wanted: Mapping[str, Any] | None) -> list[Given]:
    """Return a tool for each dataset that an app names (`engine.knowledge.named`).

    Raises LookupFailed when one is not here.
    """
    if wanted is None:
        return []
    how = retrieval_of(wanted)
    return [_given(knowledge, one, how) for one in knowledge.all_of(wanted["dataset_ids"])]


def tool_of(dataset: Dataset, call: Callable[[Mapping[str, Any], ToolContext], Result]) -> Tool:
    """Return a dataset as a tool that does ``call``."""
    name = f"dataset_{dataset.id.replace('-', '_')}"
    said = f"Looks up passages in '{dataset.name}'" + (f": {dataset.description}" if dataset.description else "")
    return Tool("dataset", name, dataset.name, said, (_QUERY,), call)


def _given(knowledge: Knowledge, dataset: Dataset, how: Retrieval) -> Given:
    tool = tool_of(dataset, partial(_look_up, knowledge, dataset.id, how))
    return Given(tool.name, tool)


def _look_up(
    knowledge: Knowledge, dataset_id: str, how: Retrieval, arguments: Mapping[str, Any], context: ToolContext
) -> Result:
    try:
        found = knowledge([dataset_id], arguments["query"], top_k=how.top_k, least=how.least)
    except LookupFailed as error:  # deleted since the agent began
        raise ToolProblem(str(error)) from None
    return Result("\n\n".join(one["content"] for one in found) or _NOTHING, resources=tuple(cited(found)))
