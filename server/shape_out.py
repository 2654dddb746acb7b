"""Stop "shape out": what a handler answers is checked against the contract before it leaves, always.

A mismatch is our defect, not the client's: it is logged with the difference and answered with a plain 500.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from server.blueprint import Blueprint, OperationObject
from server.explain import explain
from server.headers import NO_STORE

JSON = "application/json"
JSON_LINE = (b"content-type", b"application/json")


class ResponseMismatch(Exception):
    """A handler answered something its contract does not declare."""


class Answer:
    """One declared status of one operation, compiled."""

    __slots__ = ("is_valid", "media", "required", "validator")

    def __init__(self, response: dict[str, Any], blueprint: Blueprint) -> None:
        content = response.get("content", {})
        self.media = frozenset(content)
        self.validator = None
        self.is_valid = None
        if JSON in content:
            self.validator = blueprint.schemas.validator(content[JSON].get("schema", {}))
            self.is_valid = self.validator.is_valid
        self.required = frozenset(
            name.lower()
            for name, header in response.get("headers", {}).items()
            if blueprint.schemas.deref(header).get("required")
        ) - {"x-request-id", "x-version"}


class ShapeOut:
    """Turns a handler's result into the response: a dict, ``(dict, status)``, ``(dict, status, headers)``, or
    a Starlette response (the streams). None is an empty body.
    """

    def __init__(self, operation: OperationObject, blueprint: Blueprint) -> None:
        self.id = operation.id
        self.answers = {
            int(status): Answer(response, blueprint)
            for status, response in operation.responses.items()
            if status.isdigit()
        }
        self.success = min((status for status in self.answers if 200 <= status < 300), default=200)

    async def __call__(self, result: Any, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(result, Response):
            self._check_response(result)
            if scope["method"] == "HEAD":
                await send(
                    {
                        "type": "http.response.start",
                        "status": result.status_code,
                        "headers": result.raw_headers,
                    }
                )
                await send({"type": "http.response.body", "body": b""})
            else:
                await result(scope, receive, send)
            return
        status, given = self.success, None
        if isinstance(result, tuple):
            result, status, *rest = result
            given = rest[0] if rest else None
        body = b"" if result is None else orjson.dumps(result)
        answer = self._answer(status)
        if result is None:
            lines = [] if status in (204, 304) else [(b"content-length", b"0")]
        else:
            self._check_body(answer, status, result)
            lines = [JSON_LINE, (b"content-length", b"%d" % len(body))]
        if given or answer.required:
            lines.extend(self._lines(answer, status, given or {}))
        else:
            lines.append(NO_STORE)
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, status: int) -> Answer:
        answer = self.answers.get(status)
        if answer is None:
            raise ResponseMismatch(f"{self.id} answered {status}, which the contract does not declare")
        return answer

    def _check_body(self, answer: Answer, status: int, value: Any) -> None:
        if answer.is_valid is None or answer.validator is None:
            raise ResponseMismatch(f"{self.id} answered {status} with JSON, which the contract does not declare")
        if not answer.is_valid(value):
            told = [item for error in answer.validator.iter_errors(value) for item in explain(error, [])]
            raise ResponseMismatch(f"{self.id} answered {status} against its schema: {told[:10]}")

    def _lines(self, answer: Answer, status: int, given: dict[str, str]) -> list[tuple[bytes, bytes]]:
        lines = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in given.items()]
        names = {name for name, _ in lines}
        missing = [name for name in answer.required if name.encode() not in names]
        if missing:
            raise ResponseMismatch(f"{self.id} answered {status} without {', '.join(missing)}")
        if b"cache-control" not in names:
            lines.append(NO_STORE)
        return lines

    def _check_response(self, response: Response) -> None:
        answer = self._answer(response.status_code)
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media and media not in answer.media:
            raise ResponseMismatch(f"{self.id} answered {response.status_code} as {media}, which is not declared")
        whole = getattr(response, "body", b"")
        if media == JSON and whole and not isinstance(response, StreamingResponse):
            self._check_body(answer, response.status_code, orjson.loads(whole))
