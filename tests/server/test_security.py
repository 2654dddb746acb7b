"""Who is let in: live bearers, and page cookies with proof of the page."""

from __future__ import annotations

from typing import Any

import pytest

import store.accounts
import store.audit
import store.cookies
from tests.server.conftest import ORIGIN, Client, MakeClient


def page(call: Client, cookie: str | None, **headers: str) -> int:
    sent = {"Cookie": f"difyspec_session={cookie}", **headers} if cookie else headers
    return call("POST", "/page", headers=sent).status_code


@pytest.mark.parametrize("given", [None, "", "Basic YTpi", "Bearer", "Bearer ", "dfoa_x"])
def test_without_a_bearer_the_realm_is_told(call: Client, given: str | None) -> None:
    answer = call("GET", "/me", headers={} if given is None else {"Authorization": given})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="openapi"'


@pytest.mark.parametrize("token", ["dfoa_unknown", "dfoa_" + "x" * 3000, "@@", "dfoe_é"])
def test_a_dead_bearer_is_an_invalid_token(call: Client, opened: None, token: str) -> None:
    answer = call("GET", "/me", headers=[(b"Authorization", f"Bearer {token}".encode())])
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="openapi", error="invalid_token"'
    assert token not in answer.text


def test_two_bearers_are_none(call: Client, bearer: dict[str, str]) -> None:
    twice = [("Authorization", bearer["Authorization"])] * 2
    assert call("GET", "/me", headers=twice).status_code == 401


def test_a_live_bearer_is_its_subject(call: Client, bearer: dict[str, str], account: Any) -> None:
    assert call("GET", "/me", headers=bearer).json() == {"subject": f"account:{account.id}"}
    lower = {"Authorization": bearer["Authorization"].replace("Bearer ", "bearer  ") + " "}
    assert call("GET", "/me", headers=lower).status_code == 200


def test_an_inactive_account_is_refused(call: Client, bearer: dict[str, str], account: Any) -> None:
    assert call("GET", "/me", headers=bearer).status_code == 200
    store.accounts.set_status(account.id, "banned")
    assert call("GET", "/me", headers=bearer).json()["code"] == "invalid_token"


def test_a_missing_scope_is_named(call: Client, external: dict[str, str]) -> None:
    answer = call("DELETE", "/me", headers=external)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert "me:delete" in answer.json()["hint"]


def test_the_wrong_kind_of_token_is_told_so(call: Client, external: dict[str, str]) -> None:
    assert call("PUT", "/me", headers=external).json()["code"] == "unsupported_token_type"


def test_full_satisfies_every_scope_and_the_success_is_audited(
    call: Client, bearer: dict[str, str], account: Any
) -> None:
    answer = call("DELETE", "/me", headers=bearer)
    assert answer.status_code == 200
    entry = store.audit.recent(1)[0]
    assert (entry.event, entry.actor) == ("me.deleted", f"account:{account.id}")
    assert entry.request_id == answer.headers["x-request-id"]


def test_a_refusal_is_not_audited_as_a_success(call: Client, external: dict[str, str]) -> None:
    call("DELETE", "/me", headers=external)
    assert store.audit.recent(1) == []


def test_who_comes_before_shape(call: Client) -> None:
    assert call("GET", "/me?unknown=1").status_code == 401


def test_a_cookie_alone_is_not_enough(call: Client, cookie: str) -> None:
    assert page(call, None) == 401
    assert page(call, "x" * 43) == 401
    assert page(call, cookie) == 403


@pytest.mark.parametrize("origin", ["http://tiny.test.evil", "https://tiny.test", "http://tiny.test:81", "null", ""])
def test_another_origin_cannot_use_the_cookie(call: Client, cookie: str, origin: str) -> None:
    assert page(call, cookie, Origin=origin) == 403


def test_the_own_origin_or_the_csrf_token_is_proof(call: Client, cookie: str) -> None:
    assert page(call, cookie, Origin=ORIGIN) == 200
    assert page(call, cookie, **{"X-CSRF-Token": store.cookies.csrf_token(cookie)}) == 200


def test_a_wrong_csrf_token_is_not_saved_by_the_origin(call: Client, cookie: str) -> None:
    assert page(call, cookie, Origin=ORIGIN, **{"X-CSRF-Token": "x"}) == 403


def test_a_cookie_opens_no_bearer_operation(call: Client, cookie: str) -> None:
    headers = {"Cookie": f"difyspec_session={cookie}", "Origin": ORIGIN}
    assert call("GET", "/me", headers=headers).status_code == 401


def test_the_limit_of_an_account_counts_over_all_its_cookies(make: MakeClient, account: Any) -> None:
    call = make()
    statuses = [page(call, store.cookies.open(account.id), Origin=ORIGIN) for _ in range(3)]
    assert statuses == [200, 200, 429]
