"""The list operator: filter, take one, sort, cut; also lists of objects, and with errors that an author understands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.base import NodeRunResult
from graphon.nodes.list_operator import node as lists
from graphon.nodes.list_operator.entities import FilterOperator, Order
from graphon.nodes.list_operator.exc import InvalidFilterValueError, ListOperatorError
from graphon.variables.segments import ArrayAnySegment, ArrayObjectSegment, ArraySegment
from graphon.variables.template_resolution import convert_template

from engine.events.jsonable import jsonable
from engine.inputs.variables import SWITCHES
from engine.nodes.conditions import ATTRIBUTES, attribute_test

# Of a member that an object does not have, only these hold.
_TRUE_OF_NOTHING = ("empty", "not contains", "is not", "not in")


class ListNode(lists.ListOperatorNode):
    """graphon's node knows lists of text, numbers, booleans and files; here lists of objects by ``key`` as well."""

    def _run(self) -> NodeRunResult:
        name = ".".join(self.node_data.variable)
        variable: Any = self.runtime_state.variable_pool.get(self.node_data.variable)
        if variable is None:
            return self._failed_result(f"Variable {name} not found")
        if not variable.value:
            return self._empty_result(variable)
        if not isinstance(variable, ArraySegment):
            return self._failed_result(f"The variable {name} is no list: it is of type {variable.value_type.value}")
        try:
            outputs = self._build_outputs(self._apply_operations(variable))
        except (ListOperatorError, ValueError, TypeError) as error:
            return self._failed_result(str(error))
        inputs = {"variable": jsonable(variable.value)}
        return NodeRunResult(
            status=WorkflowNodeExecutionStatus.SUCCEEDED, inputs=inputs, process_data=inputs, outputs=outputs
        )

    def _apply_filter(self, variable: Any) -> Any:
        for condition in self.node_data.filter_by.conditions:
            holds = self._test(condition, variable)
            variable = variable.model_copy(update={"value": [item for item in variable.value if holds(item)]})
        return variable

    def _apply_order(self, variable: Any) -> Any:
        order, key = self.node_data.order_by, self.node_data.order_by.key
        if isinstance(variable, lists.ArrayFileSegment) and key not in ATTRIBUTES:
            listed = ", ".join(ATTRIBUTES)
            raise InvalidFilterValueError(f"Files have no attribute '{key}' to sort by; they have {listed}")
        if not isinstance(variable, ArrayObjectSegment | ArrayAnySegment):
            return super()._apply_order(variable)
        items = [(_member(item, key), item) for item in variable.value]
        known = sorted((pair for pair in items if pair[0] is not None), key=lambda pair: _rank(pair[0]))
        if order.value == Order.DESC:
            known.reverse()
        # What lacks the member comes last, whichever way.
        ordered = [*known, *(pair for pair in items if pair[0] is None)]
        return variable.model_copy(update={"value": [item for _, item in ordered]})

    def _apply_slice(self, variable: Any) -> Any:
        size = self.node_data.limit.size
        return variable if size < 0 else super()._apply_slice(variable)

    def _extract_slice(self, variable: Any) -> Any:
        serial = convert_template(self.runtime_state.variable_pool, self.node_data.extract_by.serial).text.strip()
        if not serial.lstrip("-").isdecimal():
            raise InvalidFilterValueError(f"The serial to extract must be a whole number, not '{serial[:40]}'")
        if not 1 <= int(serial) <= len(variable.value):
            raise InvalidFilterValueError(
                f"The serial to extract must be from 1 to {len(variable.value)}, not {serial}"
            )
        return variable.model_copy(update={"value": [variable.value[int(serial) - 1]]})

    def _test(self, condition: Any, variable: Any) -> Callable[[Any], bool]:
        """What a condition demands of an item."""
        value, operator = condition.value, condition.comparison_operator
        if isinstance(value, str):
            value = convert_template(self.runtime_state.variable_pool, value).text
        if isinstance(variable, lists.ArrayFileSegment):
            if isinstance(value, bool):
                raise InvalidFilterValueError("A file is compared with text, not with a boolean")
            return attribute_test(".".join(self.node_data.variable), condition.key, operator.value, value)
        keyed = isinstance(variable, ArrayObjectSegment | ArrayAnySegment)
        return lambda item: _holds(_member(item, condition.key) if keyed else item, operator, value)


def _holds(subject: Any, operator: FilterOperator, value: Any) -> bool:
    if subject is None or operator in (FilterOperator.EMPTY, FilterOperator.NOT_EMPTY):
        nothing = subject is None or subject in ("", [], {})
        return operator in _TRUE_OF_NOTHING if nothing else operator == FilterOperator.NOT_EMPTY
    test: Callable[[Any], bool]
    if isinstance(subject, bool):
        test = lists._get_boolean_filter_func(condition=operator, value=_switch(value))
    elif isinstance(subject, int | float):
        test = lists._get_number_filter_func(condition=operator, value=_number(value))
    elif isinstance(subject, str) and isinstance(value, list | tuple):
        test = lists._get_sequence_filter_func(condition=operator, value=value)
    elif isinstance(subject, str):
        test = lists._get_string_filter_func(condition=operator, value=str(value))
    elif isinstance(subject, list) and operator in (FilterOperator.CONTAINS, FilterOperator.NOT_CONTAINS):
        return (value in subject) == (operator == FilterOperator.CONTAINS)
    else:
        raise InvalidFilterValueError(f"'{operator.value}' cannot be asked of a list or an object")
    return test(subject)


def _member(item: Any, key: str) -> Any:
    """A member of an object, further down by dots; the item itself without a key."""
    for name in key.split(".") if key else ():
        item = item.get(name) if isinstance(item, dict) else None
    return item


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, str(jsonable(value)))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidFilterValueError(f"A number is compared with a number, not with '{str(value)[:40]}'") from None


def _switch(value: Any) -> bool:
    found = value if isinstance(value, bool) else SWITCHES.get(str(value).strip().lower())
    if found is None:
        raise InvalidFilterValueError(f"A boolean is compared with true or false, not with '{str(value)[:40]}'")
    return found
