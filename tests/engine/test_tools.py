"""The tools that come with the server: what they give, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from engine.documents.pool import DocumentReader
from engine.network.address_guard import AddressGuard
from engine.network.http_client import GuardedHttpClient
from engine.running.cancel import Cancelled, CancelToken
from engine.tools.registry import BUILT_IN, built_in, missing
from engine.tools.tool import ToolContext, ToolProblem
from tests.engine.web_server import listening

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def context(*, private: bool = True, cancel: CancelToken | None = None) -> ToolContext:
    token = cancel or CancelToken()
    guard = AddressGuard(allow_private=private, allowed_hosts=frozenset())
    reader = DocumentReader(seconds=20, memory_bytes=512 * 1024 * 1024, limit=100_000)
    client = GuardedHttpClient(guard, token, 1024 * 1024)
    return ToolContext(token, client, lambda: NOW, lambda content: reader.text([content], "html", token), lambda *_: {})


def call(provider: str, name: str, private: bool = True, **arguments: Any) -> Any:
    tool = built_in(provider, name)
    assert tool is not None
    return tool.run(arguments, context(private=private))


def refusal(provider: str, name: str, private: bool = True, **arguments: Any) -> str:
    with pytest.raises(ToolProblem) as refused:
        call(provider, name, private, **arguments)
    return str(refused.value)


@pytest.mark.parametrize(
    ("provider", "name", "arguments", "text"),
    [
        ("time", "current_time", {}, "2026-11-23 12:30:00"),
        ("langgenius/time/time", "current_time", {"timezone": "Asia/Tokyo", "format": "%H"}, "21"),
        ("time", "timezone_conversion",
         {"current_time": "2026-07-01 12:00:00", "target_timezone": "Europe/Berlin"}, "2026-07-01 14:00:00"),
        ("time", "localtime_to_timestamp", {"localtime": "1970-01-02 00:00:00"}, "86400"),
        ("time", "timestamp_to_localtime", {"timestamp": "86400"}, "1970-01-02 00:00:00"),
        ("time", "weekday", {}, "November 23, 2026 is Monday."),
        ("time", "weekday", {"year": "2024", "month": 2, "day": "29"}, "February 29, 2024 is Thursday."),
        ("maths", "eval_expression", {"expression": "(1 + 2) * sqrt(9)"}, "9.0"),
        ("maths", "eval_expression", {"expression": "2^10"}, "1024"),
        ("json_process", "parse", {"content": '{"a": [{"b": 1}, {"b": 2}]}', "json_filter": "$.a[*].b"}, "[1, 2]"),
        ("json_process", "parse", {"content": '{"a": {"b": "x"}}', "json_filter": "a.b"}, "x"),
        ("json_process", "json_replace",
         {"content": '{"a": [1, 2]}', "query": "$.a[*]", "replace_value": '{"z": 0}'}, '{"a": [{"z": 0}, {"z": 0}]}'),
        ("json_process", "json_delete", {"content": '{"a": [1, 2, 3]}', "query": "$.a[0:2]"}, '{"a": [3]}'),
        ("text", "change", {"text": "b\na\nb", "operation": "unique_lines"}, "b\na"),
        ("text", "count", {"text": "a bee, a bee", "find": "bee"}, "characters: 12, words: 4, lines: 1, found: 2"),
        ("text", "replace", {"text": "a bee", "find": "bee", "replacement": "wasp"}, "a wasp"),
    ],
)  # fmt: skip
def test_a_tool_gives(provider: str, name: str, arguments: dict[str, Any], text: str) -> None:
    assert call(provider, name, **arguments).text == text


@pytest.mark.parametrize(
    ("provider", "name", "arguments", "reason"),
    [
        ("time", "current_time", {"timezone": "Mars/Base"}, "is not a time zone"),
        ("time", "current_time", {"timezone": "../../etc/passwd"}, "is not a time zone"),
        ("time", "timestamp_to_localtime", {"timestamp": 10**30}, "is not a Unix time"),
        ("time", "weekday", {"month": 13}, "There is no such day"),
        ("time", "timezone_conversion",
         {"current_time": "9999-12-31 23:59:59", "target_timezone": "Asia/Tokyo"}, "beyond the years 1 to 9999"),
        ("time", "timestamp_to_localtime", {}, "needs the argument 'timestamp'"),
        ("time", "timestamp_to_localtime", {"timestamp": "noon"}, "must be of type integer"),
        ("maths", "eval_expression", {"expression": "9**9**9"}, "too large"),
        ("maths", "eval_expression", {"expression": "10**4000*10**4000"}, "too large"),
        ("maths", "eval_expression", {"expression": "'a' * 10**9"}, "Only numbers"),
        ("maths", "eval_expression", {"expression": "__import__('os')"}, "Only numbers"),
        ("maths", "eval_expression", {"expression": "().__class__"}, "cannot be calculated"),
        ("maths", "eval_expression", {"expression": "(5).bit_length()"}, "Attribute is not"),
        ("maths", "eval_expression", {"expression": "1/0"}, "division by zero"),
        ("maths", "eval_expression", {"expression": "(" * 400 + "1" + ")" * 400}, "cannot be calculated"),
        ("maths", "eval_expression", {"expression": "1 << 10"}, "calculated: it has an operator that is not known"),
        ("maths", "eval_expression", {"expression": "max(1)"}, "calculated: a function has arguments that it does not"),
        ("maths", "eval_expression", {"expression": "2 +"}, "'2 +' cannot be calculated: invalid syntax"),
        ("maths", "eval_expression", {"expression": "9.9**999"}, "calculated: Numerical result out of range"),
        ("json_process", "parse", {"content": "{"}, "not JSON"),
        ("json_process", "parse", {"content": "[" * 100_000}, "not JSON"),
        ("json_process", "parse", {"content": "{}", "json_filter": "$[["}, "not a JSONPath"),
        ("json_process", "parse", {"content": "{}", "json_filter": "$[?match(@.a, '(a+)+b')]"}, "'match(' nowhere"),
        ("json_process", "json_delete", {"content": "{}", "query": "$"}, "whole document"),
        ("json_process", "parse", {"content": "[[[]]]", "json_filter": "$..*..*"}, "'..' once"),
        ("json_process", "parse", {"content": "[1]", "json_filter": "$[?count($[*]) > 0]"}, "'$' once"),
        ("text", "replace", {"text": "a" * 9000, "find": "a", "replacement": "b" * 9000}, "longer than"),
        ("text", "change", {"text": "a", "operation": "explode"}, "must be one of: upper"),
        ("webscraper", "webscraper", {"url": "file:///etc/passwd"}, "must begin with http"),
    ],
)  # fmt: skip
def test_a_tool_refuses_and_says_why(provider: str, name: str, arguments: dict[str, Any], reason: str) -> None:
    told = refusal(provider, name, **arguments)
    assert reason in told
    assert "object at 0x" not in told


@pytest.mark.parametrize("expression", ["round(5, -10**9)", "min(1, 2) * 10**3000", "2**-1"])
def test_no_calculation_takes_long(expression: str) -> None:
    assert call("maths", "eval_expression", expression=expression).text


def test_a_value_comes_with_the_text_where_there_is_one() -> None:
    assert call("json_process", "parse", content='{"a": 1}').value == {"a": 1}
    assert call("text", "count", text="a b").value == {"characters": 3, "words": 2, "lines": 1}


def test_each_tool_describes_its_arguments_for_a_model() -> None:
    assert len({(tool.provider, tool.name) for tool in BUILT_IN}) == len(BUILT_IN)
    for tool in BUILT_IN:
        schema = tool.schema()
        assert schema["type"] == "object"
        assert tool.label
        assert tool.description.endswith(".")
        assert set(schema.get("required", [])) <= set(schema["properties"])
    weekday = built_in("time", "weekday")
    assert weekday is not None
    assert list(weekday.schema({"year": 2000})["properties"]) == ["month", "day"]


def test_a_tool_of_a_run_that_was_stopped_is_not_called() -> None:
    token = CancelToken()
    token.trip("stopped")
    with pytest.raises(Cancelled):
        BUILT_IN[0].run({}, context(cancel=token))


def test_a_missing_tool_is_told_with_the_command_that_adds_it() -> None:
    assert built_in("google", "search") is None
    assert "difyspec tools import FILE --name google" in missing("langgenius/google/google", "search")


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        pages = {
            "/page": (
                "text/html",
                b"<head><title>Bees</title></head><style>p</style><h1>Bees</h1><p>They <b>dance</b>.<script>x()",
            ),
            "/plain": ("text/plain", b"plain text"),
            "/image": ("image/png", b"\x89PNG"),
        }
        kind, body = pages.get(self.path, ("text/html", b""))
        self.send_response(200 if self.path in pages else 404)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with listening(_Pages) as url:
        yield url


def test_a_web_page_is_told_as_its_text(site: str) -> None:
    assert call("webscraper", "webscraper", url=f"{site}/page").text == "TITLE: Bees\nBees\nThey dance."
    assert call("webscraper", "webscraper", url=f"{site}/plain").text == "plain text"


@pytest.mark.parametrize(("path", "reason"), [("/gone", "status 404"), ("/image", "not text but 'image/png'")])
def test_a_page_that_is_no_text_is_refused(site: str, path: str, reason: str) -> None:
    assert reason in refusal("webscraper", "webscraper", url=site + path)


def test_a_web_page_of_a_private_address_is_refused(site: str) -> None:
    assert "loopback" in refusal("webscraper", "webscraper", private=False, url=f"{site}/page")
