"""Calling an operation of an imported API: only through the guarded client, with the API's credential."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from engine.files.naming import named
from engine.tools.openapi_body import FORM
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
        request = _Request(operation, definition["server"], arguments)
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


class _Request:
    """A request as it is put together from arguments."""

    def __init__(self, operation: Mapping[str, Any], server: str, arguments: Mapping[str, Any]) -> None:
        self.headers: dict[str, str] = {"Accept": "application/json, text/*;q=0.9, */*;q=0.1", "User-Agent": "difyspec"}
        self.content: bytes | None = None
        self._query: list[tuple[str, str]] = []
        self._cookies: list[str] = []
        path = operation["path"]
        for one in operation["parameters"]:
            if one["name"] in arguments:
                path = self._place(one, arguments[one["name"]], path)
        self._base = server + path
        if self._cookies:
            self.headers["Cookie"] = "; ".join(self._cookies)
        body = operation.get("body")
        if body is not None:
            self._body(body, arguments)

    @property
    def url(self) -> str:
        """The address with its query."""
        return f"{self._base}?{urlencode(self._query)}" if self._query else self._base

    def authorise(self, auth: Mapping[str, str], key: str) -> None:
        """Add the credential, in the way the API wants it."""
        if not key:
            return
        match auth["kind"]:
            case "bearer":
                self._header("Authorization", f"Bearer {key}")
            case "basic":
                self._header("Authorization", "Basic " + base64.b64encode(key.encode()).decode())
            case "header":
                self._header(auth["name"], key)
            case "query":
                self._query.append((auth["name"], key))

    def _place(self, one: Mapping[str, Any], value: Any, path: str) -> str:
        name, texts = one["name"], [_text(item) for item in value] if isinstance(value, list) else [_text(value)]
        if one["in"] == "path":
            joined = ",".join(texts)
            if joined in ("", ".", ".."):
                raise ToolProblem(f"The argument '{name}' cannot be '{joined}'")
            return str(path.replace(f"{{{name}}}", quote(joined, safe="")))
        if one["in"] == "header":
            self._header(name, ",".join(texts))
        elif one["in"] == "cookie":
            self._cookies.append(f"{quote(name)}={quote(','.join(texts))}")
        else:
            self._query += [(name, ",".join(texts))] if one["joined"] else [(name, text) for text in texts]
        return path

    def _header(self, name: str, value: str) -> None:
        if any(letter < " " or letter > "~" for letter in value):
            raise ToolProblem(f"The header '{name}' cannot have this value")
        self.headers[name] = value

    def _body(self, body: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        names = [one["name"] for one in body["parameters"]]
        given = {name: arguments[name] for name in names if name in arguments}
        if not given and body["whole"]:
            return
        value: Any = given[names[0]] if body["whole"] else given
        kind = body["content_type"] if body["content_type"] != "*/*" else "application/json"
        if kind == FORM:
            pairs = value.items() if isinstance(value, Mapping) else ()
            text = urlencode([(name, _text(item)) for name, item in pairs])
        else:
            text = value if kind.startswith("text/") else json.dumps(value, ensure_ascii=False)
        self.content = str(text).encode()
        self.headers["Content-Type"] = kind


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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
