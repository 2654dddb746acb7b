"""The variable aggregator: of several variables, the first that has a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeRunResult
from graphon.nodes.variable_aggregator.variable_aggregator_node import VariableAggregatorNode
from graphon.variables.segments import NoneSegment, Segment


class FirstValueNode(VariableAggregatorNode):
    """To the engine's own, null is a value, and without any there is no output.

    Then an input that was left empty hid the branch that has something to say, and texts showed the output's name.
    """

    def _run(self) -> NodeRunResult:
        settings, inputs = self.node_data.advanced_settings, dict[str, Any]()
        if settings is None or not settings.group_enabled:
            outputs: dict[str, Any] = {"output": self._first(self.node_data.variables, inputs)}
        else:
            outputs = {one.group_name: {"output": self._first(one.variables, inputs)} for one in settings.groups}
        return NodeRunResult(status=WorkflowNodeExecutionStatus.SUCCEEDED, inputs=inputs, outputs=outputs)

    def _first(self, selectors: Sequence[Sequence[str]], inputs: dict[str, Any]) -> Segment:
        for selector in selectors:
            found = self.runtime_state.variable_pool.get(selector)
            if found is not None and not isinstance(found, NoneSegment):
                inputs[".".join(selector[1:])] = found.to_object()
                return found
        return NoneSegment()
