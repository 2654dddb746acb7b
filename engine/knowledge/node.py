"""The ``knowledge-retrieval`` node: what the app's datasets say about a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import WorkflowNodeExecutionMetadataKey, WorkflowNodeExecutionStatus
from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.node_events.base import NodeRunResult
from graphon.nodes.base.node import Node
from graphon.variables.segments import ArrayObjectSegment

from engine.knowledge.choosing import choose
from engine.knowledge.lookup import Knowledge, LookupFailed
from engine.knowledge.retrieval import retrieval_of
from engine.models.base import BaseModelAdapter


class KnowledgeData(BaseNodeData):
    """What the definition says; members that are not needed here are kept and ignored."""

    type: str = "knowledge-retrieval"
    query_variable_selector: list[str] | None = None
    dataset_ids: Sequence[str] = ()
    retrieval_mode: str = "multiple"
    multiple_retrieval_config: dict[str, Any] | None = None
    single_retrieval_config: dict[str, Any] | None = None
    metadata_filtering_mode: str | None = None
    metadata_filtering_conditions: dict[str, Any] | None = None


class KnowledgeRetrievalNode(Node[KnowledgeData]):
    """Gives ``result``: a list of segments, the best first, as the context of a model wants them.

    ``chooser`` makes the model that is to choose one of the datasets.
    """

    node_type = "knowledge-retrieval"

    def __init__(
        self,
        node_id: str,
        data: KnowledgeData,
        *,
        lookup: Knowledge,
        chooser: Callable[[], BaseModelAdapter] | None,
        **services: Any,
    ) -> None:
        super().__init__(node_id=node_id, data=data, **services)
        self._lookup, self._chooser = lookup, chooser

    @classmethod
    def version(cls) -> str:
        """The only version there is."""
        return "1"

    @classmethod
    def _extract_variable_selector_to_variable_mapping(
        cls, *, graph_config: Mapping[str, Any], node_id: str, node_data: KnowledgeData
    ) -> Mapping[str, Sequence[str]]:
        selector = node_data.query_variable_selector
        return {f"{node_id}.query": selector} if selector else {}

    def _run(self) -> NodeRunResult:
        selector = self.node_data.query_variable_selector
        variable = self.runtime_state.variable_pool.get(selector) if selector else None
        query = variable.text if variable is not None else ""
        inputs = {"query": query}
        try:
            found, usage = self._found(query)
        except LookupFailed as error:
            return NodeRunResult(
                status=WorkflowNodeExecutionStatus.FAILED,
                inputs=inputs,
                error=str(error),
                error_type="KnowledgeRetrievalError",
            )
        return NodeRunResult(
            status=WorkflowNodeExecutionStatus.SUCCEEDED,
            inputs=inputs,
            outputs={"result": ArrayObjectSegment(value=found)},
            metadata={WorkflowNodeExecutionMetadataKey.TOTAL_TOKENS: usage.total_tokens} if usage.total_tokens else {},
            llm_usage=usage,
        )

    def _found(self, query: str) -> tuple[list[dict[str, Any]], LLMUsage]:
        wanted, names, usage = (
            retrieval_of(self.node_data.model_dump()),
            self.node_data.dataset_ids,
            LLMUsage.empty_usage(),
        )
        if self._chooser is not None and query.strip() and len(known := self._lookup.all_of(names)) > 1:
            chosen, usage = choose(self._chooser(), known, query)
            names = [one.id for one in chosen]
        return self._lookup(names, query, top_k=wanted.top_k, least=wanted.least), usage
