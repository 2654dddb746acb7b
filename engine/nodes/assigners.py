"""Variable assigners, whose values fit the variable's type, whatever wrote them.

graphon's first version writes anything into anything: a number in a text broke every later turn of its conversation.
Its second refuses some of what an author may mean (a constant beside `clear`, a variable beside `+=`), and says why
in a way that names no variable.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from graphon.node_events.base import NodeEventPayload
from graphon.nodes.variable_assigner.common.exc import VariableOperatorNodeError
from graphon.nodes.variable_assigner.v1.node import VariableAssignerNode as FirstNode
from graphon.nodes.variable_assigner.v1.node_data import WriteMode
from graphon.nodes.variable_assigner.v2 import helpers
from graphon.nodes.variable_assigner.v2.enums import Operation
from graphon.nodes.variable_assigner.v2.exc import InvalidInputValueError, VariableNotFoundError
from graphon.nodes.variable_assigner.v2.node import VariableAssignerNode as SecondNode
from graphon.variables.types import SegmentType

_NUMBERS = (SegmentType.NUMBER, SegmentType.INTEGER, SegmentType.FLOAT)
_SHOWN = 60


def _unfit(selector: Sequence[str], kind: SegmentType, operation: str, value: Any) -> VariableOperatorNodeError:
    shown = str(value) if len(str(value)) <= _SHOWN else f"{str(value)[:_SHOWN]}…"
    # The engine tells whole numbers from others; a definition calls both `number`.
    named = "number" if kind in _NUMBERS else kind.value
    return VariableOperatorNodeError(
        f"The variable {'.'.join(selector)} is of type {named}: '{operation}' does not take {shown}"
    )


def _fits(kind: SegmentType, operation: Operation, value: Any) -> bool:
    if kind in _NUMBERS and isinstance(value, bool):
        return False
    if not helpers.is_operation_supported(variable_type=kind, operation=operation):
        return False
    return bool(helpers.is_input_value_valid(variable_type=kind, operation=operation, value=value))


class FirstAssigner(FirstNode):
    """``write_mode`` and one variable."""

    def _run(self) -> Generator[NodeEventPayload, None, None]:
        data, pool = self.node_data, self.runtime_state.variable_pool
        target = pool.get_variable(data.assigned_variable_selector)
        given = pool.get(data.input_variable_selector)
        if target is None:
            raise VariableOperatorNodeError(f"Variable {'.'.join(data.assigned_variable_selector)} not found")
        if data.write_mode != WriteMode.CLEAR:
            if given is None:
                raise VariableOperatorNodeError(f"Variable {'.'.join(data.input_variable_selector)} not found")
            operation = Operation(data.write_mode.value)
            kind = target.value_type
            # Files have no operations of their own; what is of the same type always fits.
            same = given.value_type == kind and operation == Operation.OVER_WRITE
            file = kind == SegmentType.ARRAY_FILE and given.value_type == SegmentType.FILE
            if not (same or file or _fits(kind, operation, given.value)):
                raise _unfit(data.assigned_variable_selector, kind, operation.value, given.value)
        yield from super()._run()


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
        try:
            return super()._apply_item(item=item, working_variable_pool=working_variable_pool)
        except VariableNotFoundError:
            missing = item.variable_selector
            if working_variable_pool.get(missing) is not None:
                missing = item.value
            raise VariableOperatorNodeError(f"Variable {'.'.join(missing)} not found") from None
        except InvalidInputValueError as error:
            kind = working_variable_pool.get(item.variable_selector).value_type
            value = str(error).removeprefix("Invalid input value ")
            raise _unfit(item.variable_selector, kind, item.operation.value, value) from None

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
