"""Calling an operation of an imported API: only through the guarded client, with the API's credential."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from engine.files.naming import named
from engine.tools.api_request import Request
from engine.tools.tool import MAX_TEXT, Parameter, Result, Tool, ToolContext, ToolProblem

_SECONDS = (10, 60, 60)  # connect, read, write
_MASK = "******"
_SHORTEST_SECRET = 4
_TEXTS = ("json", "text/", "xml", "yaml", "html", "javascript", "x-www-form-urlencoded")


def tools_of(provider: str, definition: Mapping[str, Any], secret: Callable[[], str]) -> list[Tool]:
    """Return the tools of an API as `engine.tools.openapi.load` read it; ``secret`` gives its credential, or ""."""
    return [
        Tool(
            provider,
            operation["name"],
            operation["label"],
            operation["description"],
            tuple(map(_parameter, _all(operation))),
            _caller(operation, definition, secret),
        )
        for operation in definition["operations"]
    ]


def _all(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*operation["parameters"], *((operation.get("body") or {}).get("parameters") or [])]


def _parameter(one: Mapping[str, Any]) -> Parameter:
    kept = {key: one[key] for key in ("name", "type", "description", "required", "default", "schema")}
    return Parameter(**kept)


def _caller(
    operation: Mapping[str, Any], definition: Mapping[str, Any], secret: Callable[[], str]
) -> Callable[[Mapping[str, Any], ToolContext], Result]:
    def call(arguments: Mapping[str, Any], context: ToolContext) -> Result:
        key = secret()
        request = Request(operation, definition["server"], arguments)
        request.authorise(definition["auth"], key)
        try:
            answer = getattr(context.http, operation["method"].lower())(
                request.url,
                headers=request.headers,
                timeout=_SECONDS,
                # A redirect could carry the credential to another host.
                follow_redirects=False,
                **({} if request.content is None else {"content": request.content}),
            )
        except httpx.RequestError as error:
            raise ToolProblem(_without(f"The API could not be called: {error}", key)) from None
        return _file(answer, request.url, context) if _is_file(answer) else _result(answer, key)

    return call


def _kind(answer: Any) -> str:
    headers = {name.lower(): str(value) for name, value in answer.headers.items()}
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_file(answer: Any) -> bool:
    kind = _kind(answer)
    return answer.status_code < 300 and bool(kind) and not any(word in kind for word in _TEXTS)


def _file(answer: Any, url: str, context: ToolContext) -> Result:
    name, mime_type = named(url, answer.headers)
    return Result(f"The API sent the file '{name}'", files=(context.keep(answer.content, name, mime_type),))


def _result(answer: Any, key: str) -> Result:
    text = _without(answer.text, key)
    if answer.status_code >= 300:
        raise ToolProblem(f"The API answered with the status {answer.status_code}: {text[:500]}")
    if len(text) > MAX_TEXT:
        raise ToolProblem(f"The API answered with more than {MAX_TEXT} characters")
    if "json" in _kind(answer):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return Result(text)
        return Result(text, value if isinstance(value, (dict, list)) else None)
    return Result(text or f"Done (status {answer.status_code})")


def _without(text: str, key: str) -> str:
    """An API that repeats what it was sent must not tell the credential to the model."""
    if len(key) < _SHORTEST_SECRET:
        return text
    for form in (key, quote(key, safe=""), quote(key), base64.b64encode(key.encode()).decode()):
        text = text.replace(form, _MASK)
    return text
