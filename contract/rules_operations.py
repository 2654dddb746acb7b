"""House rules about operations: names, security, limits, statuses, headers. Each yields (place, wrong)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from contract import Document, Operation, error_codes, operations, resolve, transport_codes

Finding = tuple[str, str]
SCOPES = {
    "full", "apps:read", "apps:run", "apps:read:permitted-external", "workspace:read", "workspace:write",
}  # fmt: skip
SUBJECTS = {"account", "external_sso"}
LIMIT_KEYS = {"token", "account", "address", "network", "everyone"}
# A status says which codes may come with it; a code of another status would mislead programs.
STATUS_OF = {
    "bad_request": 400, "malformed_json": 400, "app_unavailable": 400, "provider_not_initialize": 400,
    "no_file_uploaded": 400,
    "too_many_files": 400, "filename_not_exists": 400, "file_extension_blocked": 400, "file_too_large": 413,
    "unsupported_file_type": 415, "provider_quota_exceeded": 400,
    "model_currently_not_support": 400, "completion_request_error": 400,
    "unauthorized": 401, "invalid_token": 401, "forbidden": 403, "insufficient_scope": 403,
    "insufficient_role": 403, "unsupported_token_type": 403, "service_api_disabled": 403,
    "access_mode_denied": 403, "csrf_failed": 403, "account_inactive": 403, "not_found": 404,
    "request_timeout": 408, "conflict": 409, "already_resolved": 409, "idempotency_conflict": 409,
    "request_entity_too_large": 413, "uri_too_long": 414, "unsupported_media_type": 415,
    "request_header_fields_too_large": 431,
    "invalid_param": 422, "not_runnable": 422, "run_not_streamable": 422, "invalid_form_data": 400,
    "human_input_form_submitted": 412, "human_input_form_expired": 412, "too_many_requests": 429,
    "rate_limit_error": 429, "internal_server_error": 500, "service_unavailable": 503,
}  # fmt: skip


def names(document: Document) -> Iterator[Finding]:
    """operationIds are camelCase and unique; one declared tag; a summary and a description."""
    tags = {tag["name"] for tag in document["tags"]}
    ids = Counter(operation.get("operationId") for _, _, operation in operations(document))
    for path, method, operation in operations(document):
        name = operation.get("operationId", "")
        place = f"{method} {path}"
        if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name) or ids[name] > 1:
            yield place, f"operationId {name!r} is not camelCase or not unique"
        if len(operation.get("tags", [])) != 1 or not set(operation.get("tags", [])) <= tags:
            yield place, "needs exactly one tag, and a declared one"
        summary = operation.get("summary", "")
        if not summary or summary.endswith(".") or not operation.get("description"):
            yield place, "needs a summary without a full stop, and a description"


def security(document: Document) -> Iterator[Finding]:
    """Every operation states its security; a bearer operation its subjects, and its scope if it has one. It is optional
    (``{}`` at the end) only where a limit of all strangers asks them to sign in.
    """
    schemes = set(document["components"]["securitySchemes"])
    for path, method, operation in operations(document):
        place = f"{method} {path}"
        stated: list[Any] = operation.get("security") or []
        is_stated = "security" in operation
        asks = any(entry.get("key") == "everyone" for entry in operation.get("x-rate-limit", []))
        wanted = stated[:-1] if asks and stated[-1:] == [{}] else stated
        if not is_stated or any(not entry or not set(entry) <= schemes for entry in wanted):
            yield place, "states no security, an optional one, or an undeclared scheme"
            continue
        bearer = any("bearer" in entry for entry in stated)
        scope, subjects = operation.get("x-scope"), set(operation.get("x-subject-types", []))
        if bearer != bool(subjects) or not subjects <= SUBJECTS:
            yield place, "x-subject-types belongs to bearer operations, all of them, with known values"
        if scope is not None and (not bearer or scope not in SCOPES or f"`{scope}`" not in _flat(operation)):
            yield place, f"x-scope {scope!r} is unknown, not on a bearer operation, or not in the description"
        statuses = set(operation["responses"])
        restricted = scope is not None or (bool(subjects) and subjects != SUBJECTS)
        if (stated and "401" not in statuses) or (restricted and "403" not in statuses):
            yield place, "a guarded operation answers 401, a restricted one 403 too"


def limits(document: Document) -> Iterator[Finding]:
    """x-rate-limit entries are whole and stand exactly where 429 is declared; a bucket has one meaning."""
    buckets: dict[str, Any] = {}
    for path, method, operation in operations(document):
        place = f"{method} {path}"
        entries = operation.get("x-rate-limit", [])
        if bool(entries) != ("429" in operation["responses"]):
            yield place, "x-rate-limit and the status 429 go together"
        for entry in entries:
            members = {"bucket", "limit", "window", "key"}
            whole = members <= set(entry) <= members | {"counts"} and entry["key"] in LIMIT_KEYS
            whole = whole and entry.get("counts", "wrong") == "wrong"
            whole = whole and (entry["key"] != "everyone" or "counts" in entry)
            if not whole or min(entry["limit"], entry["window"]) < 1:
                yield place, f"the rate limit {entry} is not whole"
            elif buckets.setdefault(entry["bucket"], entry) != entry:
                yield place, f"the bucket {entry['bucket']} has two meanings"


def statuses(document: Document) -> Iterator[Finding]:
    """Every operation declares the refusals that its shape makes possible."""
    for path, method, operation in operations(document):
        present = set(operation["responses"])
        due = {"400", "500"}
        if operation.get("x-error-format") != "oauth":
            due.add("422")
        if "{" in path:
            due.add("404")
        if method == "post":
            due.add("413")
        if "requestBody" in operation:
            due.add("415")
        if operation.get("security") or operation.get("x-rate-limit"):
            due.add("503")
        if missing := due - present:
            yield f"{method} {path}", f"does not declare {', '.join(sorted(missing))}"
        if not any(status.startswith("2") for status in present):
            yield f"{method} {path}", "has no success"


def errors(document: Document) -> Iterator[Finding]:
    """Error examples are named after their code, which fits the status."""
    for path, method, operation in operations(document):
        for status, codes in error_codes(document, operation).items():
            response = resolve(document, operation["responses"][str(status)])
            yield from _examples(f"{method} {path} {status}", response, status, codes)


def _examples(place: str, response: dict[str, Any], status: int, codes: set[str]) -> Iterator[Finding]:
    examples = response["content"]["application/json"]["examples"]
    for code in sorted(codes):
        value = examples[code]["value"]
        oauth = "error" in value
        if value.get("error" if oauth else "code") != code:
            yield place, f"the example {code} shows another code"
        elif not oauth and (STATUS_OF.get(code) != status or value["status"] != status):
            yield place, f"{code} does not belong to this status"


def transport(document: Document) -> Iterator[Finding]:
    """What is answered before a request belongs to an operation is an error in the canonical shape, with its name,
    and the description tells of it.
    """
    for status, codes in transport_codes(document).items():
        place, response = f"x-transport-responses {status}", document["x-transport-responses"][str(status)]
        yield from _examples(place, response, status, codes)
        due = {"X-Request-Id"} | ({"Retry-After"} if status == 503 else set())
        if missing := due - set(response["headers"]):
            yield place, f"lacks the header {', '.join(sorted(missing))}"
        if response["content"]["application/json"]["schema"] != {"$ref": "#/components/schemas/ErrorBody"}:
            yield place, "is no ErrorBody"
        for code in sorted(codes):
            if f"{status} `{code}`" not in _flat(document["info"]):
                yield place, f"the description does not tell of {code}"


def headers(document: Document) -> Iterator[Finding]:
    """X-Request-Id everywhere; challenges, waiting times and cache rules where they are due."""
    for path, method, operation in operations(document):
        for status, reference in operation["responses"].items():
            response = resolve(document, reference)
            due = {"X-Request-Id"} | _due(path, method, operation, status, response)
            if missing := due - set(response.get("headers", {})):
                yield f"{method} {path} {status}", f"lacks the header {', '.join(sorted(missing))}"


def _due(path: str, method: str, operation: Operation, status: str, response: dict[str, Any]) -> set[str]:
    if status == "429":
        return {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
    if status == "401":
        # RFC 6749 section 5.2: a client that did not use the Authorization header gets no challenge.
        return set() if operation.get("x-error-format") == "oauth" else {"WWW-Authenticate"}
    due = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} if operation.get("x-rate-limit") else set()
    personal = method != "delete" and ("/device/" in path or path.startswith("/account"))
    if personal or "text/event-stream" in response.get("content", {}):
        due.add("Cache-Control")
    return due if status.startswith("2") else set()


def order(document: Document) -> Iterator[Finding]:
    """A literal path stands before the templated one that would swallow it."""
    paths = list(document["paths"])
    for index, path in enumerate(paths):
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
        for later in paths[index + 1 :]:
            if "{" in path and pattern.fullmatch(later):
                yield later, f"stands after {path}, which matches it too"


def queries(document: Document) -> Iterator[Finding]:
    """The query parameters of an operation are the members of its query model, mark for mark."""
    for path, method, operation in operations(document):
        if "x-query-model" not in operation:
            continue
        model = resolve(document, operation["x-query-model"])
        parameters = [resolve(document, entry) for entry in operation["parameters"]]
        stated = {entry["name"]: entry["schema"] for entry in parameters if entry["in"] == "query"}
        required = {entry["name"] for entry in parameters if entry["in"] == "query" and entry.get("required")}
        if stated != model["properties"] or required != set(model.get("required", [])):
            yield f"{method} {path}", "its query parameters are not those of its query model"


def streams(document: Document) -> Iterator[Finding]:
    """A streamed answer names its event schema, whose discriminator covers every alternative."""
    for path, method, operation in operations(document):
        place = f"{method} {path}"
        content = resolve(document, operation["responses"].get("200", {})).get("content", {})
        name = operation.get("x-stream")
        if ("text/event-stream" in content) != (name is not None):
            yield place, "x-stream and text/event-stream go together"
        elif name is not None:
            union = document["components"]["schemas"].get(name, {})
            declared = content["text/event-stream"]["schema"]
            if declared != {"$ref": f"#/components/schemas/{name}"} or "oneOf" not in union:
                yield place, f"{name} is not the union of events that the stream declares"
                continue
            mapping = union["discriminator"]["mapping"]
            if list(mapping.values()) != [entry["$ref"] for entry in union["oneOf"]]:
                yield name, "the mapping of the discriminator is not the list of alternatives"
            for value, target in mapping.items():
                if resolve(document, {"$ref": target})["properties"]["event"].get("enum") != [value]:
                    yield name, f"{target} does not fix its event to {value}"


def _flat(operation: dict[str, Any]) -> str:
    return " ".join(operation.get("description", "").split())
