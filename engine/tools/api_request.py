"""A request to an imported API, put together from the arguments of a call."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from engine.tools.openapi_body import FORM
from engine.tools.tool import ToolProblem


class Request:
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
