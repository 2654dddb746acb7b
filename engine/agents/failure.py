"""How the two nodes that let an agent work tell that it failed."""

from __future__ import annotations

from collections.abc import Generator

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeEventPayload, NodeRunResult
from graphon.node_events.node import StreamCompletedEvent

from engine.running.cancel import Cancelled


def failing_in_words(work: Generator[NodeEventPayload, None, None]) -> Generator[NodeEventPayload, None, None]:
    """Yield what ``work`` yields; an error becomes the node's failed result. Raises Cancelled only."""
    try:
        yield from work
    except Cancelled:
        raise
    except Exception as error:
        result = NodeRunResult(
            status=WorkflowNodeExecutionStatus.FAILED, error=str(error), error_type=type(error).__name__
        )
        yield StreamCompletedEvent(node_run_result=result)
