"""What every answer carries, and how HEAD, OPTIONS and browsers of other origins are served."""

from __future__ import annotations

import uuid

import pytest

from server.parts import API_LEVEL
from tests.server.conftest import Client, MakeClient

APP = "https://app.test"


@pytest.mark.parametrize("path", ["/health", "/nothing", "/raise/exception", "/openapi.json"])
def test_every_answer_is_safe_to_show(call: Client, path: str) -> None:
    headers = call("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-version"] == API_LEVEL
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/health", f"/things/{uuid.UUID(int=1)}", "/me", "/nothing", "/raise/exception"])
def test_no_cache_keeps_an_answer_or_an_error(call: Client, path: str) -> None:
    assert call("GET", path).headers["cache-control"] == "no-store"


def test_a_plain_request_id_is_echoed(call: Client) -> None:
    assert call("GET", "/health", headers={"X-Request-Id": "a.B-3_"}).headers["x-request-id"] == "a.B-3_"


@pytest.mark.parametrize("name", [b"", b"a b", b"x" * 129, b"\xc3\xa9", b"a\x00b", b'{"a":1}'])
def test_any_other_request_id_is_replaced(call: Client, name: bytes) -> None:
    given = call("GET", "/health", headers=[(b"X-Request-Id", name)]).headers["x-request-id"]
    assert len(given) == 22


def test_request_ids_differ(call: Client) -> None:
    assert call("GET", "/health").headers["x-request-id"] != call("GET", "/health").headers["x-request-id"]


@pytest.mark.parametrize("path", ["/health", "/stream", "/openapi.json", "/docs"])
def test_head_is_get_without_the_body(call: Client, path: str) -> None:
    head, get = call("HEAD", path), call("GET", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers.get("content-length") == get.headers.get("content-length")
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/echo", "GET, HEAD, OPTIONS, POST"),
        ("/me", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_the_methods(call: Client, path: str, allow: str) -> None:
    answer = call("OPTIONS", path)
    assert (answer.status_code, answer.headers["allow"]) == (204, allow)
    assert call("OPTIONS", "/nothing").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"), [("/health", 200), ("/nothing", 404), ("/me", 401), ("/raise/exception", 500)]
)
def test_a_named_origin_may_read_answers_and_errors(make: MakeClient, path: str, status: int) -> None:
    answer = make(cors_allow_origins=APP)("GET", path, headers={"Origin": APP})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    for name in ("Retry-After", "WWW-Authenticate", "ETag", "X-Request-Id", "RateLimit-Limit"):
        assert name in answer.headers["access-control-expose-headers"]


def test_another_origin_may_not(make: MakeClient) -> None:
    call = make(cors_allow_origins=APP)
    for origin in ("https://app.test.evil", "null", "http://app.test"):
        headers = call("GET", "/health", headers={"Origin": origin}).headers
        assert "access-control-allow-origin" not in headers
        assert headers["vary"] == "Origin"


def test_without_an_origin_none_is_allowed(make: MakeClient) -> None:
    assert "access-control-allow-origin" not in make(cors_allow_origins=APP)("GET", "/health").headers


def test_any_origin_gets_no_cookies(make: MakeClient) -> None:
    headers = make(cors_allow_origins="*")("GET", "/health", headers={"Origin": APP}).headers
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


def test_a_preflight_is_told_every_method(make: MakeClient) -> None:
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = make(cors_allow_origins=APP)("OPTIONS", "/me", headers=asked)
    assert answer.status_code == 204
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert method in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
