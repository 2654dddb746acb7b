"""The JSON Schema that an app's author gives a ``json_object`` input (Draft 7).

It is text from a stranger that runs against text from another. A reference must stay inside the schema:
fetching one would let a definition make the server call any address. Patterns run with a bound on
backtracking, so none can hang a request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft7Validator, Draft202012Validator, FancyRegexOptions, ValidationError

BACKTRACK_LIMIT = 100_000


def problem(schema: Mapping[str, Any]) -> str | None:
    """Why the schema cannot be used, or None."""
    for reference in references(schema):
        if not reference.startswith("#"):
            return "a $ref must stay inside the schema (begin with '#')"
    try:
        _validator(_text(schema))
    except (ValidationError, ValueError) as error:
        return getattr(error, "message", str(error))
    return None


def mismatch(schema: Mapping[str, Any], value: Mapping[str, Any]) -> str | None:
    """Why ``value`` does not match, or None.

    A schema that cannot be used matches everything: import refuses those.
    """
    if problem(schema) is not None:
        return None
    for error in _validator(_text(schema)).iter_errors(value):
        return str(error.message)
    return None


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether ``value`` matches a 2020-12 schema, an author's own parts in it under the same bounds."""
    return Draft202012Validator(schema, offline=True, pattern_options=_patterns()).is_valid(value)


def references(schema: Any) -> Iterator[str]:
    """Every ``$ref`` in the schema, wherever it stands."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for child in schema.values():
            yield from references(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from references(child)


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in schema.items() if name not in ("$schema", "$id")}, sort_keys=True)


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft7Validator:
    return Draft7Validator(json.loads(schema), offline=True, pattern_options=_patterns())


def _patterns() -> FancyRegexOptions:
    return FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)
