"""What an HTTP request node sends, made of its settings and the values that they refer to.

graphon's own loses some of it: the query of an address that has parameters beside it, fields of a form with the same
name. It sends a field of its own in forms without a file, and lets a line break in a value begin another header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from graphon.http import HttpResponse
from graphon.nodes.http_request.exc import FileFetchError, InvalidURLError
from graphon.nodes.http_request.executor import Executor
from graphon.variables.segments import ArrayFileSegment, FileSegment
from graphon.variables.template_resolution import VARIABLE_PATTERN, convert_template

_BREAK = re.compile(r"[\r\n]+")
_NO_FILE = "__multipart_placeholder__"


class RequestMaker(Executor):
    """Takes the place of the engine's own in the HTTP request node."""

    url: str
    params: Any
    data: Any
    files: Any

    def _init_url(self) -> None:
        super()._init_url()
        self.url = self.url.strip()
        try:
            host = urlsplit(self.url).hostname
        except ValueError as error:
            raise InvalidURLError(f"url cannot be used: {error}") from None
        if not host:
            raise InvalidURLError("url names no host")

    def _init_params(self) -> None:
        super()._init_params()
        address, _, fragment = self.url.partition("#")
        address, _, query = address.partition("?")
        if self.params and query:
            # The client would send one of the two.
            self.params = [*parse_qsl(query, keep_blank_values=True), *self.params]
            self.url = f"{address}#{fragment}" if fragment else address

    def _init_headers(self) -> None:
        lines = [self._header_line(line) for line in self.node_data.headers.splitlines()]
        self.headers = self._parse_header_string("\n".join(text for text, _ in lines))
        self._log_headers = self._parse_header_string("\n".join(shown for _, shown in lines))

    def _header_line(self, line: str) -> tuple[str, str]:
        """A header filled in, and how it is shown. What refers to a variable as a whole may be several lines."""
        filled = convert_template(self.variable_pool, line)
        if VARIABLE_PATTERN.fullmatch(line.strip()):
            return filled.text, filled.log
        return _BREAK.sub(" ", filled.text), _BREAK.sub(" ", filled.log)

    def _init_json_body(self, data: Any) -> None:
        super()._init_json_body(data)
        if self.json is None:  # to the client that is no body
            self.content = self._log_content = "null"

    def _init_binary_body(self, data: Any) -> None:
        selector = self._require_single_body_item(data, body_type="binary").file
        found = self.variable_pool.get(selector)
        files = [found.value] if isinstance(found, FileSegment) else []
        if isinstance(found, ArrayFileSegment):
            files = list(found.value)
        if len(files) != 1:
            raise FileFetchError(f"The body is one file, and {'.'.join(selector) or 'nothing'} has {len(files)}")
        self.content = self._file_manager.download(files[0])

    def _convert_body_kv(self, data: Any, *, text_only: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
        real: dict[str, Any] = {}
        shown: dict[str, Any] = {}
        for item in data:
            if text_only and item.type != "text":
                continue
            key, value = (
                convert_template(self.variable_pool, item.key),
                convert_template(self.variable_pool, item.value),
            )
            _add(real, key.text, value.text)
            _add(shown, key.log, value.log)
        return real, shown

    def _do_http_request(self, headers: dict[str, Any]) -> HttpResponse:
        data, files = self.data, self.files
        if files and files[0][0] == _NO_FILE:
            # A field without a file name is text; so the client makes the parts of a form of it.
            fields: Any = [(key, (None, value)) for key, value in _pairs(data or {})]
            self.data, self.files = None, fields or None
        try:
            return super()._do_http_request(headers)
        finally:
            self.data, self.files = data, files


def _add(fields: dict[str, Any], key: str, value: str) -> None:
    """Add a field to a form; of those with one name there is a list."""
    known = fields.get(key)
    fields[key] = value if known is None else [*known, value] if isinstance(known, list) else [known, value]


def _pairs(fields: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(key, one) for key, value in fields.items() for one in (value if isinstance(value, list) else [value])]
