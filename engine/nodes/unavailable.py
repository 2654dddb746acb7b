"""The node that stands in for one that cannot run here: it fails with the reason, when it is reached."""

from __future__ import annotations

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import NodeExecutionType, WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeRunResult
from graphon.nodes.base.node import Node


def failure(data: BaseNodeData) -> NodeRunResult:
    """Return the result of a node that cannot run, from its data's ``unavailable_reason``."""
    return NodeRunResult(
        status=WorkflowNodeExecutionStatus.FAILED,
        error=str(data["unavailable_reason"]),
        error_type="NodeUnavailable",
    )


class UnavailableNode(Node[BaseNodeData]):
    """Fails with the text kept in its data under ``unavailable_reason``; error strategies still apply."""

    node_type = "unavailable"

    @classmethod
    def version(cls) -> str:
        """The only version there is."""
        return "1"

    def _run(self) -> NodeRunResult:
        return failure(self.node_data)


class UnavailableContainer(Node[BaseNodeData]):
    """The same for a node that holds others: the engine lets only containers own nodes."""

    node_type = "unavailable-container"
    execution_type = NodeExecutionType.CONTAINER

    @classmethod
    def version(cls) -> str:
        """The only version there is."""
        return "1"

    def _run(self) -> NodeRunResult:
        return failure(self.node_data)
