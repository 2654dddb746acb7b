"""Mending conditions, of branches, loops and list operators: numbers are text, and what joins them is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.inputs.variables import word


def cases(name: str, data: dict[str, Any], warnings: list[str]) -> None:
    """Mend a branch's cases in place. The oldest exports have one list of conditions, which is the case ``true``."""
    conditions = data.get("conditions")
    if not data.get("cases") and isinstance(conditions, list) and conditions:
        operator = data.get("logical_operator") or "and"
        data["cases"] = [{"case_id": "true", "logical_operator": operator, "conditions": conditions}]
        del data["conditions"]
        warnings.append(f"The conditions of the node '{name}' were read as its case 'true'.")
    if isinstance(data.get("cases"), list):
        data["cases"] = [_case(case) for case in data["cases"]]


def end_of_loop(data: dict[str, Any]) -> None:
    """Mend the conditions of a loop's end, and the types of its variables, in place."""
    listed = data.get("loop_variables")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and one.get("var_type") in ("integer", "float"):
            one["var_type"] = "number"
    data["break_conditions"] = _conditions(data.get("break_conditions"))
    data["logical_operator"] = data.get("logical_operator") or "and"


def _conditions(listed: Any) -> Any:
    """Conditions whose numbers are text, as the engine wants them; what is no condition is left to it."""
    return [_condition(one) if isinstance(one, Mapping) else one for one in listed] if isinstance(listed, list) else []


def _condition(one: Mapping[str, Any]) -> dict[str, Any]:
    made, value, within = dict(one), one.get("value"), one.get("sub_variable_condition")
    if isinstance(value, list):
        made["value"] = [word(item) if isinstance(item, int | float) else item for item in value]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        made["value"] = str(value)
    if isinstance(within, Mapping):
        operator = within.get("logical_operator") or "and"
        inner = {**within, "logical_operator": operator, "conditions": _conditions(within.get("conditions"))}
        made["sub_variable_condition"] = inner
    return made


def _case(case: Any) -> Any:
    """An if-else case whose ``case_id`` is text, as the handle of its edge is."""
    if not isinstance(case, dict):
        return case
    named = {"case_id": word(case["case_id"])} if "case_id" in case else {}
    operator = case.get("logical_operator") or "and"
    return {**case, **named, "logical_operator": operator, "conditions": _conditions(case.get("conditions"))}


def comparisons(data: dict[str, Any]) -> None:
    """Mend a list operator in place: numbers that it compares with are text; parts that are left out are off."""
    for part in ("filter_by", "order_by", "limit", "extract_by"):
        data[part] = _mapping(data.get(part))
    listed = data["filter_by"].get("conditions")
    conditions = [_mapping(one) for one in (listed if isinstance(listed, list) else []) if isinstance(one, Mapping)]
    for one in [*conditions, data["extract_by"]]:
        for key in ("value", "serial"):
            if isinstance(one.get(key), int | float) and not isinstance(one[key], bool):
                one[key] = str(one[key])
    data["filter_by"]["conditions"] = conditions


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
