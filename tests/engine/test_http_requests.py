"""HTTP request nodes: what reaches the server for each setting, and what comes back."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from graphon.nodes.http_request.config import build_http_request_config

from engine.definition.adapt import node_data
from engine.nodes.http_request import NamingHttpRequestNode
from tests.engine.conftest import Bench
from tests.engine.graphs import document, edge, end, node
from tests.engine.web_server import listening

LISTED = [("a", "1"), ("a", "2"), ("word", "{{#start.word#}}")]


class Echo(BaseHTTPRequestHandler):
    """Answers with the request as JSON; under ``/busy`` with 503 until it has been asked three times."""

    asked: list[str | None]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()}
        self.asked.append(self.headers.get("X-Key"))
        busy = self.path == "/busy" and len(self.asked) < 3
        self.send_response(503 if busy else 200)
        answer = json.dumps(told).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that tells what it was asked."""
    Echo.asked = []
    with listening(Echo) as url:
        yield url


@pytest.fixture
def open_bench(configure: Callable[..., None], bench: Bench) -> Bench:
    """Apps that may call this machine."""
    configure(allow_private_addresses=True)
    return bench


def request(url: str, **data: Any) -> dict[str, Any]:
    """A request node as definitions are read."""
    made = node("call", "http-request", **{"method": "get", "url": url, **data})
    node_data(made, [])
    return made


def flow(call: dict[str, Any]) -> dict[str, Any]:
    declared = [
        {"variable": "word", "type": "text-input", "label": "w"},
        {"variable": "f", "type": "file", "label": "f"},
    ]
    nodes = [node("start", "start", variables=declared), call, end(body=["call", "body"])]
    known = [
        {"name": "KEY", "value_type": "secret", "value": "s3cret-key"},
        {"name": "LINES", "value_type": "string", "value": "X-One: 1\nX-Two: 2"},
    ]
    return document(nodes, [edge("start", "call"), edge("call", "end")], environment_variables=known)


def body(kind: str, *fields: tuple[str, str]) -> dict[str, Any]:
    return {"type": kind, "data": [{"key": key, "type": "text", "value": value} for key, value in fields]}


def parts(told: dict[str, Any]) -> list[tuple[Any, Any]]:
    """The fields of a multipart form: name and content."""
    head = f"Content-Type: {told['headers']['Content-Type']}\r\n\r\n"
    message = email.message_from_string(head + told["body"], policy=email.policy.default)
    return [(part.get_param("name", header="content-disposition"), part.get_content()) for part in message.iter_parts()]


SENT: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], Any], Any]] = {
    "the query of the address and the parameters": (
        {"url": "/x?z=1&z=2", "params": "q: {{#start.word#}}\na: 1\na: 2\n\nempty"},
        lambda told: told["path"],
        "/x?z=1&z=2&q=%C3%A9%0AX-More%3A+1&a=1&a=2&empty=",
    ),
    "an address with blanks around it": ({"url": "/x \n"}, lambda told: told["path"], "/x"),
    "a value with a line break in a header": (
        {"headers": "X-Word: {{#start.word#}}\nX-Last:"},
        lambda told: [told["headers"].get(name) for name in ("X-Word", "X-More", "X-Last")],
        ["Ã© X-More: 1", None, ""],  # UTF-8, as a server that expects Latin-1 reads it
    ),
    "a variable that is whole headers": (
        {"headers": "{{#env.LINES#}}"},
        lambda told: [told["headers"].get(name) for name in ("X-One", "X-Two")],
        ["1", "2"],
    ),
    "fields of one name in a form": (
        {"method": "Post", "body": body("x-www-form-urlencoded", *LISTED)},
        lambda told: (told["body"], told["headers"]["Content-Type"]),
        ("a=1&a=2&word=%C3%A9%0AX-More%3A+1", "application/x-www-form-urlencoded"),
    ),
    "a form in parts without a file": (
        {"method": "post", "body": body("form-data", *LISTED[:2])}, parts, [("a", "1"), ("a", "2")],
    ),
    "a form of lines, as old exports have it": (
        {"method": "post", "body": {"type": "form-data", "data": "a:1\nb: 2"}}, parts, [("a", "1"), ("b", "2")],
    ),
    "broken JSON": (
        {"method": "put", "body": body("json", ("", "{'a': 1, b: [1,2,}"))},
        lambda told: (told["method"], json.loads(told["body"])),
        ("PUT", {"a": 1, "b": [1, 2]}),
    ),
    "JSON's null": ({"method": "post", "body": body("json", ("", "null"))}, lambda told: told["body"], "null"),
    "text": (
        {"method": "post", "body": body("raw-text", ("", "a {{#start.word#}}"))},
        lambda told: (told["body"], told["headers"]["Content-Type"]),
        ("a é\nX-More: 1", "text/plain"),
    ),
    "a key for a user and a password": (
        {"authorization": {"type": "api-key", "config": {"type": "basic", "api_key": "u:p"}}},
        lambda told: told["headers"]["Authorization"],
        "Basic dTpw",
    ),
    "a key in a header of its own": (
        {"authorization": {"type": "api-key", "config": {"type": "custom", "api_key": "k", "header": "X-Key"}}},
        lambda told: told["headers"]["X-Key"],
        "k",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SENT)
def test_the_server_gets_what_the_settings_say(open_bench: Bench, echo: str, name: str) -> None:
    settings, look, wanted = SENT[name]
    call = request(echo + settings.get("url", "/"), **{key: value for key, value in settings.items() if key != "url"})
    last = open_bench.run(flow(call), {"word": "é\nX-More: 1"})[-1]["data"]
    assert last["error"] is None
    assert look(json.loads(last["outputs"]["body"])) == wanted


FAILED: dict[str, tuple[dict[str, Any], str]] = {
    "no host": ({"url": "http:///x"}, "url names no host"),
    "half an address": ({"url": "http://[::1/"}, "url cannot be used: Invalid IPv6 URL"),
    "no file": (
        {"body": {"type": "binary", "data": [{"type": "file", "file": ["start", "f"]}]}},
        "The body is one file, and start.f has 0",
    ),
    "no JSON": ({"body": body("json", ("", "no json"))}, "Failed to parse JSON: no json"),
    "a header that is none": ({"headers": "é: 1"}, "A header cannot be called 'é'"),
    "another method": ({"method": "options"}, "Invalid http method OPTIONS"),
    "a key without settings": (
        {"authorization": {"type": "api-key"}},
        "The node is not complete: authorization.config: config should be a dict",
    ),
}


@pytest.mark.parametrize("name", FAILED)
def test_a_request_that_cannot_be_sent_says_why(bench: Bench, name: str) -> None:
    settings, message = FAILED[name]
    call = request(**{"url": "http://127.0.0.1:9/", **settings})
    assert bench.run(flow(call))[-1]["data"]["error"] == message


def test_a_key_is_filled_in_once_however_often_it_is_tried(open_bench: Bench, echo: str) -> None:
    """What a person types for a key must not be read as a reference by the second attempt."""
    key = {"type": "custom", "header": "X-Key", "api_key": "{{#start.word#}}"}
    retry = {"retry_enabled": True, "max_retries": 3, "retry_interval": 1}
    call = request(f"{echo}/busy", authorization={"type": "api-key", "config": key}, retry_config=retry)
    last = open_bench.run(flow(call), {"word": "{{#env.KEY#}}"})[-1]["data"]
    assert last["error"] is None
    assert Echo.asked == ["{{#env.KEY#}}"] * 3


def test_times_are_whole_seconds_within_the_servers() -> None:
    made = request("http://x/", timeout={"connect": 99, "read": 0.5, "write": "x"})
    asking = object.__new__(NamingHttpRequestNode)
    asking._http_request_config = build_http_request_config()
    asked = asking._get_request_timeout(asking.validate_node_data(made["data"]))
    assert (asked.connect, asked.read, asked.write) == (10, 1, 600)
