"""Variable assigners, whose values fit the variable's type, whatever wrote them.

graphon's first version writes anything into anything: a number in a text broke every later turn of its conversation.
Its second refuses some of what an author may mean (a constant beside `clear`, a variable beside `+=`), and says why
in a way that names no variable.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from graphon.enums import BuiltinNodeTypes
from graphon.file.models import File
from graphon.node_events.base import NodeEventPayload
from graphon.node_events.node import VariableUpdatedEvent
from graphon.nodes.variable_assigner.common.exc import VariableOperatorNodeError
from graphon.nodes.variable_assigner.v1.node import VariableAssignerNode as FirstNode
from graphon.nodes.variable_assigner.v1.node_data import WriteMode
from graphon.nodes.variable_assigner.v2 import helpers
from graphon.nodes.variable_assigner.v2.enums import Operation
from graphon.nodes.variable_assigner.v2.exc import InvalidInputValueError, VariableNotFoundError
from graphon.nodes.variable_assigner.v2.node import _SKIP_VARIABLE_UPDATE
from graphon.nodes.variable_assigner.v2.node import VariableAssignerNode as SecondNode
from graphon.variables import types
from graphon.variables.factory import build_segment, segment_to_variable
from graphon.variables.types import SegmentType
from graphon.variables.variables import VariableBase

from engine.running.weight import weight

# So that `clear` empties a list of files too.
types._EMPTY_ARRAY_ZERO_VALUE_TYPES |= {SegmentType.ARRAY_FILE}

_NUMBERS = (SegmentType.NUMBER, SegmentType.INTEGER, SegmentType.FLOAT)
_SHOWN = 60
# What a variable may hold: one that is put into itself again and again doubles each time.
_LARGEST, _LARGEST_NUMBER = 4 * 1024 * 1024, 2**63


def _too_large(selector: Sequence[str]) -> VariableOperatorNodeError:
    name = ".".join(selector)
    return VariableOperatorNodeError(
        f"The variable {name} would be larger than it may be: {_LARGEST} characters, or a number of 64 bits"
    )


def _is_too_large(value: Any) -> bool:
    if isinstance(value, int | float):
        return not -_LARGEST_NUMBER <= value < _LARGEST_NUMBER
    return weight(value, _LARGEST) > _LARGEST


def _unfit(selector: Sequence[str], kind: SegmentType, operation: str, value: Any) -> VariableOperatorNodeError:
    # The engine tells whole numbers from others; a definition calls both `number`.
    named = "number" if kind in _NUMBERS else kind.value
    return VariableOperatorNodeError(
        f"The variable {'.'.join(selector)} is of type {named}: '{operation}' does not take {_shown(value)}"
    )


def _shown(value: Any) -> str:
    if isinstance(value, File):
        return f"the file {value.filename or ''}".rstrip()
    if isinstance(value, list) and value and all(isinstance(item, File) for item in value):
        return "a list of files"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _fits(kind: SegmentType, operation: Operation, value: Any) -> bool:
    if kind in _NUMBERS and isinstance(value, bool):
        return False
    if not helpers.is_operation_supported(variable_type=kind, operation=operation):
        return False
    if kind == SegmentType.ARRAY_FILE and operation == Operation.APPEND:
        return isinstance(value, File)
    if kind == SegmentType.ARRAY_FILE and operation in (Operation.OVER_WRITE, Operation.EXTEND):
        return isinstance(value, list) and all(isinstance(item, File) for item in value)
    return bool(helpers.is_input_value_valid(variable_type=kind, operation=operation, value=value))


def _written(variable: Any, value: Any) -> Any:
    """The variable with another value. That of a number is of the value's type then: as whole numbers and others are
    types of their own in what is kept of a run, it could not be read back.
    """
    segment = build_segment(value) if variable.value_type in _NUMBERS else None
    if segment is None or segment.value_type == variable.value_type:
        return variable.model_copy(update={"value": value})
    return segment_to_variable(
        segment=segment,
        selector=variable.selector,
        variable_id=variable.id,
        name=variable.name,
        description=variable.description,
    )


def _check_target(selector: Sequence[str], graph_config: Mapping[str, Any]) -> None:
    """Only variables of the conversation and of loops are there to be written."""
    owner = selector[0] if selector else ""
    kinds = {node["id"]: node["data"]["type"] for node in graph_config["nodes"]}
    if owner in ("env", "sys") or kinds.get(owner, BuiltinNodeTypes.LOOP) != BuiltinNodeTypes.LOOP:
        raise VariableOperatorNodeError(
            f"The variable {'.'.join(selector)} cannot be written: only those of the conversation and of loops can"
        )


class FirstAssigner(FirstNode):
    """``write_mode`` and one variable."""

    def _run(self) -> Generator[NodeEventPayload, None, None]:
        data, pool = self.node_data, self.runtime_state.variable_pool
        _check_target(data.assigned_variable_selector, self.graph_config)
        target = pool.get_variable(data.assigned_variable_selector)
        given = pool.get(data.input_variable_selector)
        if target is None:
            raise VariableOperatorNodeError(f"Variable {'.'.join(data.assigned_variable_selector)} not found")
        if data.write_mode != WriteMode.CLEAR:
            if given is None:
                raise VariableOperatorNodeError(f"Variable {'.'.join(data.input_variable_selector)} not found")
            operation = Operation(data.write_mode.value)
            kind = target.value_type
            if not _fits(kind, operation, given.value):
                raise _unfit(data.assigned_variable_selector, kind, operation.value, given.value)
        for event in super()._run():
            if not isinstance(event, VariableUpdatedEvent):
                yield event
                continue
            value = event.variable.value
            if _is_too_large(value):
                raise _too_large(data.assigned_variable_selector)
            yield VariableUpdatedEvent(variable=_written(event.variable, value))


class SecondAssigner(SecondNode):
    """Any number of ``items``, each with an operation."""

    @staticmethod
    def _validate_item_support(*, variable: Any, item: Any) -> None:
        if not helpers.is_operation_supported(variable_type=variable.value_type, operation=item.operation):
            raise VariableOperatorNodeError(
                f"The variable {'.'.join(item.variable_selector)} is of type {variable.value_type.value}: "
                f"'{item.operation.value}' is nothing to do with it"
            )

    def _apply_item(self, *, item: Any, working_variable_pool: Any) -> Sequence[str] | None:
        selector, pool = item.variable_selector, working_variable_pool
        _check_target(selector, self.graph_config)
        variable = pool.get(selector)
        if not isinstance(variable, VariableBase):
            raise VariableOperatorNodeError(f"Variable {'.'.join(selector)} not found")
        self._validate_item_support(variable=variable, item=item)
        try:
            value = self._resolve_item_input_value(variable=variable, item=item, working_variable_pool=pool)
        except VariableNotFoundError:
            raise VariableOperatorNodeError(f"Variable {'.'.join(item.value)} not found") from None
        except InvalidInputValueError:
            raise _unfit(selector, variable.value_type, item.operation.value, item.value) from None
        if value is _SKIP_VARIABLE_UPDATE:
            return None
        if not _fits(variable.value_type, item.operation, value):
            raise _unfit(selector, variable.value_type, item.operation.value, value)
        changed = self._handle_item(variable=variable, operation=item.operation, value=value)
        pool.add(variable.selector, _written(variable, changed))
        return variable.selector

    def _handle_item(self, *, variable: Any, operation: Operation, value: Any) -> Any:
        made = super()._handle_item(variable=variable, operation=operation, value=value)
        if _is_too_large(made):
            raise _too_large(variable.selector)
        return made

    def _resolve_item_input_value(self, *, variable: Any, item: Any, working_variable_pool: Any) -> Any:
        value = super()._resolve_item_input_value(
            variable=variable, item=item, working_variable_pool=working_variable_pool
        )
        if variable.value_type in _NUMBERS and isinstance(value, bool):
            raise InvalidInputValueError(value=value)
        if variable.value_type in _NUMBERS and isinstance(value, str):
            try:
                return int(value) if value.strip().lstrip("+-").isdecimal() else float(value)
            except ValueError:
                raise InvalidInputValueError(value=value) from None
        return value
