"""Checking the ``inputs`` of a run against the variables an app declares, before anything starts.

The rules are in declared order, the first problem ends the check, and the texts are the ones clients know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from engine.inputs.file_values import check_file, check_file_list
from engine.inputs.problem import InputProblem
from engine.inputs.values import check_number, check_object, check_select, check_switch, check_text
from engine.inputs.variables import FILE_TYPES, Variable, variables
from store.refusal import Refusal

__all__ = ["Variable", "check", "variables"]

_CHECKS: dict[str, Callable[[Variable, Any], Any]] = {
    "text-input": check_text,
    "paragraph": check_text,
    "external_data_tool": check_text,
    "select": check_select,
    "number": check_number,
    "checkbox": check_switch,
    "json_object": check_object,
    "file": check_file,
    "file-list": check_file_list,
}


def check(document: Mapping[str, Any], inputs: Any) -> dict[str, Any]:
    """The inputs a run starts with: one value for each declared variable, converted, NUL removed; other keys
    are dropped.

    In: the normalised document and what the client sent. Raises Refusal ``invalid_param`` with ``details``
    whose ``loc`` is ``["body", "inputs", name]``.
    """
    if inputs is None:
        inputs = {}
    if not isinstance(inputs, Mapping):
        _refuse("inputs must be an object", "dict_type", ["body", "inputs"])
    checked: dict[str, Any] = {}
    for variable in variables(document):
        try:
            checked[variable.name] = _without_nul(_value(variable, inputs.get(variable.name)))
        except InputProblem as problem:
            _refuse(problem.message, problem.type, ["body", "inputs", variable.name])
    return checked


def _value(variable: Variable, value: Any) -> Any:
    if value is None:
        # The value of an external data tool comes from the tool, so its absence is never the caller's fault.
        if variable.required and variable.type != "external_data_tool":
            raise InputProblem(f"{variable.name} is required in input form", "missing")
        value = default_of(variable)
    if value is None or (value == "" and variable.type in FILE_TYPES and not variable.required):
        return None
    convert = _CHECKS.get(variable.type)
    if convert is not None:
        return convert(variable, value)
    if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value)):
        raise InputProblem(f"Invalid input type for ['{variable.name}']", "invalid_type")
    return value


def default_of(variable: Variable) -> Any:
    """The value taken when none is sent.

    Editors store an empty text for "no default", which suits only text.
    """
    if variable.default == "" and variable.type not in ("text-input", "paragraph"):
        return None
    return variable.default


def default_as_taken(variable: Variable) -> Any:
    """The default as a run takes it, a number that was stored as text as a number; None where it takes none."""
    try:
        return _value(replace(variable, required=False), None)
    except InputProblem:
        return None


def _without_nul(value: Any) -> Any:
    # PostgreSQL's text cannot hold NUL: one in an input would turn a good run into a failed write.
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, Mapping):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value


def _refuse(message: str, kind: str, loc: list[str]) -> NoReturn:
    raise Refusal("invalid_param", message, details=[{"type": kind, "loc": loc, "msg": message}])
