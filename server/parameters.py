"""Stop "shape in", first half: path, query, header and cookie parameters, checked and turned into arguments.

Everything about a parameter is decided at start-up; a request walks the list. UUIDs come out in one spelling
(lower case, with dashes), so that the code behind may compare them as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope

from server.convert import CONVERT, PARSE_ERRORS, one_spelling
from server.explain import Detail, detail, explain
from server.schemas import Schemas
from store.refusal import Refusal

CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
MAX_QUERY_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of one operation, compiled."""

    name: str
    argument: str
    where: str
    required: bool
    is_array: bool
    kind: str
    convert: Callable[[str], Any] | None
    is_valid: Callable[[Any], bool]
    validator: Any
    default: Any

    def read(self, values: list[str], wrong: list[Detail]) -> Any:
        """The value of what was sent (each occurrence an item), or the default; what is wrong is added to
        ``wrong``.
        """
        loc: list[str | int] = [self.where, self.name]
        if not values:
            if self.required:
                wrong.append(detail("missing", loc, "Field required"))
            return self.default
        if self.is_array:
            texts = [part for value in values for part in value.split(",")]
        elif len(values) > 1:
            wrong.append(detail("repeated", loc, "Input should be given once"))
            return self.default
        else:
            texts = values
        for text in texts:
            if CONTROL(text):
                wrong.append(detail("string_control_characters", loc, "Control characters are not permitted"))
                return self.default
        convert = self.convert
        value: Any
        try:
            if self.is_array:
                value = texts if convert is None else [convert(text) for text in texts]
            else:
                value = texts[0] if convert is None else convert(texts[0])
        except ValueError:
            code, text = PARSE_ERRORS[self.kind]
            wrong.append(detail(code, loc, text))
            return self.default
        if not self.is_valid(value):
            for error in self.validator.iter_errors(value):
                wrong.extend(explain(error, loc))
        return value


class Parameters:
    """All parameters of one operation. In: the raw parameter objects, and the contract's schemas."""

    def __init__(self, objects: list[dict[str, Any]], schemas: Schemas, argument_of: Callable[[str], str]) -> None:
        compiled = [self._compile(item, schemas, argument_of) for item in objects]
        self.path = [item for item in compiled if item.where == "path"]
        self.query = [item for item in compiled if item.where == "query"]
        self.header = [(item, item.name.lower().encode()) for item in compiled if item.where == "header"]
        self.cookie = [item for item in compiled if item.where == "cookie"]
        self.known = frozenset(item.name for item in self.query)
        self.arguments = frozenset(item.argument for item in compiled)
        self.none = not compiled

    @staticmethod
    def _compile(item: dict[str, Any], schemas: Schemas, argument_of: Callable[[str], str]) -> Parameter:
        schema = schemas.deref(item.get("schema", {}))
        is_array = schema.get("type") == "array"
        single = schemas.deref(schema.get("items", {})) if is_array else schema
        kind = single.get("type", "string")
        convert = CONVERT.get(kind)
        if convert is None and single.get("format") == "uuid":
            convert = one_spelling
        validator = schemas.validator(item.get("schema", {}))
        return Parameter(
            name=item["name"],
            argument=argument_of(item["name"]),
            where=item["in"],
            required=item.get("required", False),
            is_array=is_array,
            kind=kind,
            convert=convert,
            is_valid=validator.is_valid,
            validator=validator,
            default=schema.get("default"),
        )

    def read(self, scope: Scope) -> dict[str, Any]:
        """The arguments of this request. Raises ``not_found`` for a malformed path, ``invalid_param`` for the
        rest.

        A parameter that was left out and has no default is left out of the arguments too.
        """
        arguments: dict[str, Any] = {}
        wrong: list[Detail] = []
        if self.path:
            sent = scope["path_params"]
            for item in self.path:
                arguments[item.argument] = item.read([str(sent[item.name])], wrong)
            if wrong:  # an id that cannot be one names nothing
                named = ", ".join(str(item["loc"][1]) for item in wrong)
                raise Refusal("not_found", hint=f"{named} in the path does not have the form it needs.")
        query = self._query(scope["query_string"], wrong) if scope["query_string"] else {}
        for item in self.query:
            value = item.read(query.get(item.name, []), wrong)
            if value is not None:
                arguments[item.argument] = value
        for item, key in self.header:
            lines = [value.decode("latin-1") for name, value in scope["headers"] if name == key]
            value = item.read(lines, wrong)
            if value is not None:
                arguments[item.argument] = value
        if self.cookie:
            cookies = cookies_of(scope)
            for item in self.cookie:
                value = item.read([cookies[item.name]] if item.name in cookies else [], wrong)
                if value is not None:
                    arguments[item.argument] = value
        if wrong:
            raise Refusal("invalid_param", details=wrong)
        return arguments

    def _query(self, raw: bytes, wrong: list[Detail]) -> dict[str, list[str]]:
        query: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
            )
        except ValueError:  # UnicodeDecodeError among them
            raise Refusal("bad_request", "The query string is not valid UTF-8.") from None
        for name, value in pairs:
            query.setdefault(name, []).append(value)
        for name in query.keys() - self.known:
            told = "".join(letter if letter.isprintable() else "?" for letter in name[:64])
            wrong.append(detail("extra_forbidden", ["query", told], "Extra inputs are not permitted"))
        return query


def cookies_of(scope: Scope) -> dict[str, str]:
    """The cookies of a request; a header that cannot be read counts as none."""
    jar: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                continue
    return {name: morsel.value for name, morsel in jar.items()}
