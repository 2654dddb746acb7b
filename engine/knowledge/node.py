"""The ``knowledge-retrieval`` node: what the app's datasets say about a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeRunResult
from graphon.nodes.base.node import Node
from graphon.variables.segments import ArrayObjectSegment

from engine.knowledge.lookup import LookupFailed
from engine.knowledge.retrieval import retrieval_of


class KnowledgeData(BaseNodeData):
    """What the definition says; members that are not needed here are kept and ignored."""

    type: str = "knowledge-retrieval"
    query_variable_selector: list[str] | None = None
    dataset_ids: Sequence[str] = ()
    retrieval_mode: str = "multiple"
    multiple_retrieval_config: dict[str, Any] | None = None
    metadata_filtering_mode: str | None = None
    metadata_filtering_conditions: dict[str, Any] | None = None


Lookup = Callable[..., list[dict[str, Any]]]


class KnowledgeRetrievalNode(Node[KnowledgeData]):
    """Gives ``result``: a list of segments, the best first, as the context of a model wants them."""

    node_type = "knowledge-retrieval"

    def __init__(self, node_id: str, data: KnowledgeData, *, lookup: Lookup, **services: Any) -> None:
        super().__init__(node_id=node_id, data=data, **services)
        self._lookup = lookup

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
            found = self._found(query)
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
        )

    def _found(self, query: str) -> list[dict[str, Any]]:
        wanted = retrieval_of(self.node_data.model_dump())
        return self._lookup(self.node_data.dataset_ids, query, top_k=wanted.top_k, least=wanted.least)
