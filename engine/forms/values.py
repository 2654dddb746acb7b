"""Checks of a form's answer against what was asked; the texts are the ones clients know (behaviour-runs §11.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from engine.inputs.file_values import check_file, check_file_list
from engine.inputs.problem import InputProblem
from engine.inputs.variables import Variable
from store.refusal import Refusal

Field = Mapping[str, Any]


def check(definition: Mapping[str, Any], action: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the declared fields, NUL removed; other keys are dropped.

    Every field has to be there, whatever the action; an empty text is fine. Raises Refusal
    ``invalid_form_data`` whose ``details`` name the field.
    """
    values = {}
    for field in definition["inputs"]:
        name = field["output_variable_name"]
        if name in inputs:
            values[name] = _CHECKS[field["type"]](field, inputs[name])
    known = [one["id"] for one in definition["actions"]]
    if action not in known:
        _refuse(f"Invalid action: {action}", "enum", ["body", "action"], _one_of(known))
    missing = [one["output_variable_name"] for one in definition["inputs"] if one["output_variable_name"] not in inputs]
    if missing:
        _refuse(f"Missing required inputs: {', '.join(missing)}", "missing", ["body", "inputs", missing[0]])
    return values


def _paragraph(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        _bad(field, "paragraph input", "expected string")
    # PostgreSQL's text cannot hold NUL.
    return value.replace("\0", "")


def _select(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        _bad(field, "select input", "expected string")
    options = field["option_source"]["value"]
    # Where a variable gave no options, nothing is the choice: else the form could not be answered at all.
    if value not in (options or [""]):
        _bad(field, "select input", value[:200], _one_of(options))
    return value


def _file(field: Field, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _bad(field, "file input", "expected mapping")
    try:
        return check_file(variable_of(field), value)
    except InputProblem as problem:
        _bad(field, "file input", problem.message)


def _files(field: Field, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        _bad(field, "file list input", "expected list")
    if any(not isinstance(item, Mapping) for item in value):
        _bad(field, "file list input", "expected list of mappings")
    try:
        return check_file_list(variable_of(field), value)
    except InputProblem as problem:
        _bad(field, "file list input", problem.message)


_CHECKS: dict[str, Callable[[Field, Any], Any]] = {
    "paragraph": _paragraph,
    "select": _select,
    "file": _file,
    "file-list": _files,
}


def variable_of(field: Field) -> Variable:
    """What a file field admits, as a variable."""
    return Variable(
        name=field["output_variable_name"],
        type=field["type"],
        max_length=field.get("number_limits") or None,
        allowed_file_types=tuple(field["allowed_file_types"]),
        allowed_file_extensions=tuple(field["allowed_file_extensions"]),
        allowed_file_upload_methods=tuple(field["allowed_file_upload_methods"]),
    )


def _bad(field: Field, kind: str, reason: str, hint: str | None = None) -> NoReturn:
    name = field["output_variable_name"]
    _refuse(f"Invalid value for {kind} '{name}': {reason}", "value_error", ["body", "inputs", name], hint)


def _refuse(message: str, kind: str, loc: list[str], hint: str | None = None) -> NoReturn:
    raise Refusal("invalid_form_data", message, hint=hint, details=[{"type": kind, "loc": loc, "msg": message}])


def _one_of(words: Iterable[str]) -> str | None:
    told = ", ".join(words)
    return f"Send one of: {told}."[:300] if told else None
