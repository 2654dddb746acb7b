"""The contract as a judge of what really came over the wire: answers, their headers, and the events of runs.

It reads the 3.1 view with validators of its own; nothing of the server is used.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from httpx_sse import EventSource
from jsonschema import Draft202012Validator

import contract

VIEW = contract.load(contract.VIEW_31)
BASE = "/openapi/v1"
JSON = "application/json"
STREAM = "text/event-stream"
# What the description's section "HTTP" says of every answer, and what HTTP itself puts on the wire.
EVERYWHERE = {
    "x-version", "cache-control", "vary", "allow",
    "x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy",
    "content-type", "content-length", "date", "transfer-encoding", "connection",
}  # fmt: skip


def fair(response: httpx.Response) -> httpx.Response:
    """The response, if the contract allows it; AssertionError says what it does not allow."""
    path = response.request.url.path.removeprefix(BASE)
    operation = operation_of(response.request.method, path)
    status, place = str(response.status_code), f"{operation['operationId']} {response.status_code}"
    assert status in operation["responses"], f"{place} is not declared: {response.text[:300]}"
    declared = contract.resolve(VIEW, operation["responses"][status])
    _check_headers(response, declared, place)
    content = declared.get("content", {})
    media = response.headers.get("content-type", "").partition(";")[0]
    assert media in content if content else not response.content, f"{place} came as {media or 'nothing'}"
    if media == STREAM:
        for event in EventSource(response).iter_sse():
            assert not event.data or wrong_with(event.json()) == [], place
    elif media == JSON:
        body = response.json()
        wrong = [error.message for error in _whole(content[media]["schema"]).iter_errors(body)]
        assert wrong == [], f"{place}: {wrong} in {body}"
        if response.status_code >= 400:
            codes = contract.error_codes(VIEW, operation)[response.status_code]
            assert (body.get("error") or body["code"]) in codes, f"{place}: {body} is none of {codes}"
    return response


def wrong_with(event: dict[str, Any]) -> list[str]:
    """What is wrong with an event of a run, by its own schema in the contract's ``RunEvent`` union."""
    mapping = VIEW["components"]["schemas"]["RunEvent"]["discriminator"]["mapping"]
    if event.get("event") not in mapping:
        return [f"the contract knows no event {event.get('event')!r}"]
    found = _event_validator(mapping[event["event"]]).iter_errors(event)
    return [f"{event['event']} at {'.'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in found]


@cache
def operation_of(method: str, path: str) -> dict[str, Any]:
    """The operation that a request is meant for; a literal path wins over a templated one."""
    found = []
    for template, item in VIEW["paths"].items():
        pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in item:
            found.append((template.count("{"), template, item[method.lower()]))
    assert found, f"the contract has no {method} {path}"
    return dict(min(found, key=lambda one: one[:2])[2])


def _check_headers(response: httpx.Response, declared: dict[str, Any], place: str) -> None:
    known = {name.lower(): contract.resolve(VIEW, header) for name, header in declared.get("headers", {}).items()}
    for name, text in response.headers.items():
        assert name in known or name in EVERYWHERE, f"{place}: the header {name} is not declared"
        if name in known:
            schema = contract.resolve(VIEW, known[name]["schema"])
            value = json.loads(text) if schema["type"] == "integer" else text
            assert _whole(schema).is_valid(value), f"{place}: {name}: {text} is not what is declared"


def _whole(schema: dict[str, Any]) -> Draft202012Validator:
    whole = {**schema, "components": {"schemas": VIEW["components"]["schemas"]}}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def _event_validator(reference: str) -> jsonschema_rs.Draft202012Validator:
    whole = {"$ref": reference, "components": {"schemas": VIEW["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def transport_fair(status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The body of an answer to what never became a request of an operation, if the contract allows it."""
    declared = VIEW["x-transport-responses"][str(status)]
    for name in declared["headers"]:
        assert headers.get(name.lower()), f"{status} lacks {name}"
    content = declared["content"][headers["content-type"]]
    told: dict[str, Any] = json.loads(body)
    wrong = [error.message for error in _whole(content["schema"]).iter_errors(told)]
    assert wrong == [], f"{wrong} in {told}"
    assert told["code"] in content["examples"]
    assert (told["status"], told["request_id"]) == (status, headers["x-request-id"])
    return told
