"""The answer node, which says nothing where a branch was not taken."""

from __future__ import annotations

from typing import Any

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeRunResult
from graphon.nodes.answer.answer_node import AnswerNode
from graphon.variables.segments import ArrayFileSegment
from graphon.variables.template_resolution import VARIABLE_PATTERN, convert_template


class TakenAnswerNode(AnswerNode):
    """graphon leaves ``node.name`` in the text for every reference without a value.

    That is right for a node that does not exist, so that its author sees the mistake. One that was skipped, or that
    failed, has nothing to say: so the text told in pieces has it, and so has the one told at the end.
    """

    def _run(self) -> NodeRunResult:
        pool = self.runtime_state.variable_pool
        nodes = {node["id"] for node in self.graph_config["nodes"]}

        def kept(found: Any) -> str:
            selector = found[1].split(".")
            silent = selector[0] in nodes and pool.get(selector) is None
            return "" if silent else str(found[0])

        segments = convert_template(pool, VARIABLE_PATTERN.sub(kept, self.node_data.answer))
        files = ArrayFileSegment(value=self._extract_files_from_segments(segments.value))
        outputs = {"answer": segments.markdown, "files": files}
        return NodeRunResult(status=WorkflowNodeExecutionStatus.SUCCEEDED, outputs=outputs)
