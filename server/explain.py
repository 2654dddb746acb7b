"""Words for what is wrong with a request: ``{type, loc, msg}`` with the machine codes clients know.

The rejected value is never repeated: it may be a secret, and it may be huge. Nor is a name in full, or every one of a
hundred thousand mistakes: a refusal costs less than the request did.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

Detail = dict[str, Any]
Loc = list[str | int]
MOST_DETAILS = 100  # of one refusal
MOST_STEPS = 64  # of one ``loc``
LONGEST_NAME = 200  # characters of a name in ``loc``

TYPES = {
    "string": ("string_type", "Input should be a valid string"),
    "integer": ("int_type", "Input should be a valid integer"),
    "number": ("float_type", "Input should be a valid number"),
    "boolean": ("bool_type", "Input should be a valid boolean"),
    "object": ("dict_type", "Input should be an object"),
    "array": ("list_type", "Input should be a list"),
    "null": ("none_required", "Input should be null"),
}
FORMATS = {
    "uuid": ("uuid_parsing", "Input should be a valid UUID"),
    "date-time": ("datetime_parsing", "Input should be a date and time of RFC 3339"),
    "date": ("date_parsing", "Input should be a date of RFC 3339"),
    "email": ("value_error", "Input should be an e-mail address"),
    "uri": ("url_parsing", "Input should be a URL"),
}
LIMITS = {
    "maxLength": ("string_too_long", "String should have at most {} characters"),
    "minLength": ("string_too_short", "String should have at least {} characters"),
    "maximum": ("less_than_equal", "Input should be less than or equal to {}"),
    "minimum": ("greater_than_equal", "Input should be greater than or equal to {}"),
    "exclusiveMaximum": ("less_than", "Input should be less than {}"),
    "exclusiveMinimum": ("greater_than", "Input should be greater than {}"),
    "maxItems": ("too_long", "List should have at most {} items"),
    "minItems": ("too_short", "List should have at least {} items"),
    "maxProperties": ("too_long", "Object should have at most {} members"),
    "minProperties": ("too_short", "Object should have at least {} members"),
}
OTHERS = {
    "const": ("literal_error", "Input is not the one value that is allowed"),
    "uniqueItems": ("not_unique", "List items should differ"),
    "multipleOf": ("multiple_of", "Input is not a multiple of the required step"),
}
UUID_PATTERN = "{8}-("  # a UUID that may also be blank is a pattern in the contract


def detail(kind: str, loc: Iterable[str | int], msg: str) -> Detail:
    """One entry of ``details``."""
    return {"type": kind, "loc": [_short(step) for step in islice(loc, MOST_STEPS)], "msg": msg}


def _short(step: str | int) -> str | int:
    return step[:LONGEST_NAME] if isinstance(step, str) else step


def explain_all(errors: Iterable[Any], where: Loc) -> list[Detail]:
    """The details of the first jsonschema-rs errors; as many as a refusal tells."""
    return list(islice((told for error in errors for told in explain(error, where)), MOST_DETAILS))


def explain(error: Any, where: Loc) -> list[Detail]:
    """The details of one jsonschema-rs error; one for each surplus member. ``where`` goes before the path
    inside.
    """
    kind = error.kind
    loc = [*where, *error.instance_path]
    name = error.schema_path[-1] if error.schema_path else ""
    if kind.name == "required":
        return [detail("missing", [*loc, kind.property], "Field required")]
    if kind.name in ("additionalProperties", "unevaluatedProperties"):
        return [
            detail("extra_forbidden", [*loc, key], "Extra inputs are not permitted")
            for key in kind.unexpected[:MOST_DETAILS]
        ]
    if kind.name == "type":
        wanted = next((item for item in _types(kind.types) if item != "null"), "null")
        code, text = TYPES[wanted]
        return [detail(code, loc, text)]
    if kind.name == "enum":
        options = ", ".join(repr(item) for item in kind.options if item is not None)
        return [detail("enum", loc, f"Input should be one of {options}")]
    if kind.name in LIMITS:
        code, text = LIMITS[kind.name]
        return [detail(code, loc, text.format(kind.limit))]
    if kind.name == "pattern":
        wanted = "be a UUID" if UUID_PATTERN in kind.pattern else f"match the pattern {kind.pattern}"
        return [detail("string_pattern_mismatch", loc, f"String should {wanted}")]
    if kind.name == "format" or name == "format":
        wanted = getattr(kind, "format", "")
        code, text = FORMATS.get(wanted, ("value_error", f"Input should have the format {wanted}"))
        return [detail(code, loc, text)]
    code, text = OTHERS.get(kind.name, ("value_error", "Input has none of the allowed shapes"))
    return [detail(code, loc, text)]


def _types(types: Any) -> list[str]:
    return [types] if isinstance(types, str) else [str(item) for item in types]
