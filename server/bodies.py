"""Stop "shape in", second half: the request body — JSON or a form — checked against the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from server import json_body
from server.convert import CONVERT, one_spelling
from server.explain import Detail, detail, explain_all
from server.json_body import JsonBounds
from server.schemas import Schemas
from store.refusal import Refusal

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 200


async def whole(receive: Receive) -> bytes:
    """The body. It comes in one piece: the body gate saw to that; in many where an operation is exempt from
    it.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


class Body:
    """The body of one operation, compiled. In: the raw requestBody object, the contract's schemas, and the bounds of
    JSON.
    """

    def __init__(self, request_body: dict[str, Any], schemas: Schemas, bounds: JsonBounds) -> None:
        self.bounds = bounds
        self.required = request_body.get("required", False)
        self.checks = {
            media.lower(): self._check(content.get("schema", {}), schemas)
            for media, content in request_body["content"].items()
        }
        self.default = JSON if JSON in self.checks else next(iter(self.checks))

    @staticmethod
    def _check(schema: dict[str, Any], schemas: Schemas) -> tuple[Any, dict[str, str], frozenset[str]]:
        """The validator, the type of each member, and the members that are UUIDs."""
        members = {name: schemas.deref(item) for name, item in schemas.deref(schema).get("properties", {}).items()}
        kinds = {name: item["type"] for name, item in members.items() if item.get("type") in CONVERT}
        uuids = frozenset(name for name, item in members.items() if item.get("format") == "uuid")
        return schemas.validator(schema), kinds, uuids

    async def read(self, scope: Scope, receive: Receive) -> Any:
        """The body as the handler gets it; None for one that may be left out and was.

        Raises ``unsupported_media_type``, ``malformed_json``, and ``invalid_param`` with every violation.
        """
        media = self._media(scope)
        raw = await whole(receive)
        if not raw and media != FORM:
            if self.required:
                raise Refusal(
                    "invalid_param",
                    "A body is required.",
                    details=[detail("missing", ["body"], "Field required")],
                )
            return None
        validator, kinds, uuids = self.checks[media]
        value = self._form(raw, kinds) if media == FORM else json_body.parse(raw, self.bounds)
        if uuids and isinstance(value, dict):
            for name in uuids & value.keys():
                if isinstance(value[name], str):
                    value[name] = one_spelling(value[name])
        if not validator.is_valid(value):
            raise Refusal("invalid_param", details=explain_all(validator.iter_errors(value), ["body"]))
        return value

    def _media(self, scope: Scope) -> str:
        lines = [value for name, value in scope["headers"] if name == b"content-type"]
        if not lines:
            return self.default
        media, _, rest = lines[0].decode("latin-1").partition(";")
        media = media.strip().lower()
        charset = rest.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
        if media not in self.checks or charset not in ("", "utf-8", "utf8", "us-ascii") or len(lines) > 1:
            wanted = " or ".join(self.checks)
            raise Refusal("unsupported_media_type", f"Send the body as {wanted}, in UTF-8.")
        return media

    @staticmethod
    def _form(raw: bytes, kinds: dict[str, str]) -> dict[str, Any]:
        try:
            pairs = parse_qsl(
                raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
            )
        except ValueError:
            raise Refusal("bad_request", "The body is not a valid form in UTF-8.") from None
        texts: dict[str, str] = {}
        wrong: list[Detail] = []
        for name, text in pairs:
            # RFC 6749 §3.2 forbids a repeated parameter; authlib says the same thing twice: no harm.
            if texts.setdefault(name, text) != text:
                wrong.append(detail("repeated", ["body", name], "Input should be given once"))
            elif "\x00" in text or "\x00" in name:
                told = "Control characters are not permitted"
                wrong.append(detail("string_control_characters", ["body", name], told))
        if wrong:
            raise Refusal("invalid_param", details=wrong)
        return {name: _coerce(text, CONVERT.get(kinds.get(name, ""))) for name, text in texts.items()}


def _coerce(text: str, convert: Callable[[str], Any] | None) -> Any:
    if convert is None:
        return text
    try:
        return convert(text)
    except ValueError:
        return text  # the schema then says what type it should have had
