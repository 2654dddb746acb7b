"""Iterations and loops, which say what they cannot begin with."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.nodes.container_effects import ContainerExecutionResult, build_container_value
from graphon.nodes.iteration.iteration_node import IterationNode
from graphon.nodes.loop.loop_node import LoopNode
from graphon.variables.factory import build_segment_with_type
from graphon.variables.segments import ArraySegment, NoneSegment, Segment
from graphon.variables.types import SegmentType

from engine.definition.typed_values import typed


class EachNode(IterationNode):
    """Runs its nodes for each item of a list."""

    def _run(self) -> Generator[Any, None, None]:
        selector = self.node_data.iterator_selector
        name, variable = ".".join(selector), self.runtime_state.variable_pool.get(selector)
        if variable is None:
            raise ValueError(f"Variable {name} not found")
        if not isinstance(variable, ArraySegment | NoneSegment):
            raise TypeError(f"The variable {name} is no list: it is of type {variable.value_type.value}")
        yield from super()._run()


class RepeatNode(LoopNode):
    """Runs its nodes again and again, with variables of its own.

    The engine takes a constant list only as text: one that was a list in the definition was empty at first.
    """

    def _initialize_loop_variables(self, *, inputs: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        for one in self.node_data.loop_variables:
            if one.value_type == "constant":
                try:
                    typed(one.var_type.value, one.value)
                except ValueError as error:
                    told = f"The loop variable '{one.label}' of type {one.var_type.value} cannot begin so: {error}"
                    raise ValueError(told) from None
            elif not isinstance(one.value, list) or self.runtime_state.variable_pool.get(one.value) is None:
                name = ".".join(one.value) if isinstance(one.value, list) else one.value
                raise ValueError(f"The loop variable '{one.label}' begins as {name}, which was not found")
        return super()._initialize_loop_variables(inputs=inputs)

    @staticmethod
    def _get_segment_for_constant(var_type: SegmentType, original_value: Any) -> Segment:
        return build_segment_with_type(var_type, typed(var_type.value, original_value))

    def _resume_container_events(self, *, result: Any) -> Generator[Any, None, None]:
        if isinstance(result, ContainerExecutionResult):
            result = self._as_it_went(result)
        yield from super()._resume_container_events(result=result)

    def _as_it_went(self, result: ContainerExecutionResult) -> ContainerExecutionResult:
        """The engine says nothing of variables after no round, and counts the rounds that a break left out."""
        run, outputs = result.node_run_result, dict(result.node_run_result.outputs)
        if run.status != WorkflowNodeExecutionStatus.SUCCEEDED:
            return result
        for one in self.node_data.loop_variables:
            value = self.runtime_state.variable_pool.get([self.id, one.label])
            outputs.setdefault(one.label, build_container_value(value))
        rounds = outputs.setdefault("loop_round", build_container_value(0)).to_object()
        told = run.model_copy(update={"outputs": outputs})
        return result.model_copy(update={"node_run_result": told, "steps": rounds})
