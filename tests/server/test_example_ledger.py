"""Every example of an error in the contract is one that an operation with that response really gives.

`test_code_ledger` has a way to each code. A code that several responses have an example of has a way to each here.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

import contract
import store.apps
import store.cookies
from engine import runs
from server.app import create_app
from tests.judge import VIEW, fair, operation_of
from tests.server.conftest import ORIGIN, settings_in
from tests.server.test_code_guesses import look, use_up_everybodys
from tests.server.test_code_ledger import FINE, FORM, WAYS, Ground, ground, limited, scoped, served, twice

__all__ = ["ground", "served"]

Example = tuple[str, str]  # a response of the contract's components, and a code
JSON = {"Content-Type": "application/json"}
EXAMPLES: set[Example] = {
    (reference["$ref"].rsplit("/", 1)[1], code)
    for _, _, operation in contract.operations()
    for status, reference in operation["responses"].items()
    if int(status) >= 400
    for code in contract.error_codes(contract.load(), operation)[int(status)]
}


def many_codes(ground: Ground) -> httpx.Response:
    """One code too many from an address."""
    hurried = create_app(settings_in(ground.settings.data_dir, rate_limits=True), with_pages=False)
    body = {"client_id": "difyctl", "device_label": "x"}
    while (answer := ground("POST", "/oauth/device/code", None, hurried, json=body)).status_code == 200:
        pass
    return answer


def by_page(ground: Ground, path: str, content: str) -> httpx.Response:
    """A body as it is written, of a page of a person who has signed in."""
    cookie = f"difyspec_session={store.cookies.open(ground.world.owner.id)}"
    return ground("POST", path, None, content=content, headers={"Cookie": cookie, "Origin": ORIGIN, **JSON})


def guessing(ground: Ground) -> httpx.Response:
    """Look-ups of codes that are none, until somebody has to say who asks."""
    hurried = create_app(settings_in(ground.settings.data_dir, rate_limits=True), with_pages=False)
    use_up_everybodys(hurried)
    return look(hurried, "192.0.2.77")


def read_only(ground: Ground) -> httpx.Response:
    """A token that may read apps only, at a list of workspaces."""
    with ground.monkeypatch.context() as patch:
        call = type(ground).__call__
        patch.setattr(type(ground), "run", lambda self, token="", **_: call(self, "GET", "/workspaces", token))
        return scoped(ground)


def full(ground: Ground) -> httpx.Response:
    """One run more than somebody may have, where nothing is carried out."""
    machine, world = runs.machine(), ground.world
    with ground.monkeypatch.context() as patch:
        patch.setattr(machine, "config", replace(machine.config, max_concurrent_runs=0, max_runs_per_subject=1))
        app = store.apps.for_operator_get(ground.app_id)
        runs.start(app, store.apps.version(app.id, None), world.owner_caller, {"inputs": {}})
        return ground.run()


def too_long(ground: Ground) -> httpx.Response:
    """A body that is longer than the largest file, and is no file."""
    sizes = {f"upload_{kind}file_size_limit": 1 for kind in ("", "image_", "video_", "audio_")}
    small = create_app(settings_in(ground.settings.data_dir, rate_limits=False, **sizes), with_pages=False)
    content = b"--b--" + b"x" * 2_500_000
    return ground("POST", f"/apps/{ground.app_id}/files/upload", "", small, content=content, headers=FORM)


SEVERAL: dict[Example, Callable[[Ground], httpx.Response]] = {
    ("AppForbidden", "csrf_failed"): lambda g: g.page(f"/apps/{g.app_id}/run", {}, "https://evil.example"),
    ("AppForbidden", "insufficient_scope"): lambda g: scoped(g),
    ("AppForbidden", "unsupported_token_type"): lambda g: g(
        "GET", f"/apps/{g.app_id}/describe", g.world.external_token
    ),
    ("BadBody", "bad_request"): lambda g: by_page(g, "/oauth/device/approve?x=%ff", "{}"),
    ("BadBody", "malformed_json"): lambda g: by_page(g, "/oauth/device/approve", "{"),
    ("BadRequest", "bad_request"): WAYS["bad_request"],
    ("CsrfFailed", "csrf_failed"): WAYS["csrf_failed"],
    ("DeviceCodeRefused", "invalid_request"): lambda g: g("POST", "/oauth/device/code", None, json={}),
    ("DeviceTokenRefused", "invalid_request"): WAYS["invalid_request"],
    ("DeviceTokenRefused", "slow_down"): twice,
    ("FileTooLarge", "request_entity_too_large"): too_long,
    ("FileTypeRefused", "unsupported_media_type"): lambda g: g("POST", f"/apps/{g.app_id}/files/upload", json={}),
    ("FormInvalid", "bad_request"): lambda g: g(
        "POST", f"/apps/{g.asking_id}/form/human_input/{'x' * 43}?x=%ff", json=FINE
    ),
    ("FormInvalid", "malformed_json"): lambda g: g(
        "POST", f"/apps/{g.asking_id}/form/human_input/{'x' * 43}", content="{", headers=JSON
    ),
    ("FormNotFound", "not_found"): lambda g: g("GET", f"/apps/{g.asking_id}/form/human_input/{'x' * 43}"),
    ("InvalidBody", "invalid_param"): lambda g: g.page("/oauth/device/approve", {"user_code": 5}),  # type: ignore[dict-item]
    ("InvalidQuery", "invalid_param"): lambda g: g("GET", "/account/sessions?page=none"),
    ("NotFound", "not_found"): WAYS["not_found"],
    ("NotSignedIn", "unauthorized"): lambda g: g("POST", "/oauth/device/approve", None, json={"user_code": "A"}),
    ("NotStreamable", "invalid_param"): lambda g: g("GET", f"/apps/{g.app_id}/tasks/{uuid.uuid4()}/events?x=1"),
    ("OAuthTooManyRequests", "slow_down"): many_codes,
    ("RequestEntityTooLarge", "request_entity_too_large"): WAYS["request_entity_too_large"],
    ("RunInvalid", "invalid_param"): WAYS["invalid_param"],
    ("RunRefused", "bad_request"): lambda g: g("POST", f"/apps/{g.app_id}/run?x=%ff", json={"inputs": {}}),
    ("RunRefused", "malformed_json"): WAYS["malformed_json"],
    ("SignInFirst", "unauthorized"): guessing,
    ("TooManyRequests", "too_many_requests"): limited,
    ("TooManyRuns", "too_many_requests"): full,
    ("Unauthorized", "unauthorized"): WAYS["unauthorized"],
    ("UnsupportedMediaType", "unsupported_media_type"): WAYS["unsupported_media_type"],
    ("UploadRefused", "bad_request"): lambda g: g("POST", f"/apps/{g.app_id}/files/upload?x=%ff", headers=FORM),
    ("UserCodeNotFound", "not_found"): lambda g: g.page("/oauth/device/approve", {"user_code": "BCDF-GHJK"}),
    ("WrongBearer", "insufficient_scope"): read_only,
    ("WrongBearer", "unsupported_token_type"): WAYS["unsupported_token_type"],
}  # fmt: skip
ALL = SEVERAL | {one: WAYS[one[1]] for one in EXAMPLES if Counter(code for _, code in EXAMPLES)[one[1]] == 1}


def test_there_is_a_way_to_each_example_of_an_error() -> None:
    assert set(ALL) == EXAMPLES


@pytest.mark.parametrize("example", sorted(ALL), ids=" ".join)
def test_an_example_of_an_error_is_what_its_operation_answers(ground: Ground, example: Example) -> None:
    answer = fair(ALL[example](ground))
    path = answer.request.url.path.removeprefix("/openapi/v1")
    reference = operation_of(answer.request.method, path)["responses"][str(answer.status_code)]["$ref"]
    body = answer.json()
    name, code = reference.rsplit("/", 1)[1], body.get("error") or body["code"]
    assert (name, code) == example, body
    told = VIEW["components"]["responses"][name]["content"]["application/json"]["examples"][code]["value"]
    assert set(told) - {"hint", "details", "interval"} <= set(body), "the example says what the server says"
