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
    assert answer.json()["hint"] == "Send the header Authorization: Bearer TOKEN."
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


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("Bearer {token} ", None),  # blanks around a field's value are no part of it (RFC 9110 §5.5)
        ("Bearer\t{token}", "unauthorized"),
        ("Bearer {token} {token}", "invalid_token"),
        ("Bearer {token},", "invalid_token"),
        ("Bearer {token}\xa0", "invalid_token"),
        ("Bearer dfoe_{rest}", "invalid_token"),
        ("Bearer DFOA_{rest}", "invalid_token"),
        ("Bearer {rest}", "invalid_token"),
        ("Basic {token}", "unauthorized"),
        ("Bearer: {token}", "unauthorized"),
        ("{token}", "unauthorized"),
        ("Bearer {long}", "unauthorized"),
    ],
)
def test_bearers_at_the_edge(call: Client, bearer: dict[str, str], given: str, code: str | None) -> None:
    token = bearer["Authorization"].removeprefix("Bearer ")
    value = given.format(token=token, rest=token.removeprefix("dfoa_"), long="x" * 10_000).encode("latin-1")
    answer = call("GET", "/me", headers=[(b"Authorization", value)])
    assert answer.json().get("code") == code
    assert answer.status_code == (401 if code else 200)
    if code:
        told = 'Bearer realm="openapi"' + (', error="invalid_token"' if code == "invalid_token" else "")
        assert answer.headers["www-authenticate"] == told


def test_the_cookie_of_https_is_taken_and_counts_before_the_plain_one(call: Client, cookie: str) -> None:
    def sent(cookies: str) -> int:
        return call("POST", "/secure-page", headers={"Cookie": cookies, "Origin": ORIGIN}).status_code

    assert sent(f"__Host-difyspec_session={cookie}") == 200
    assert sent(f"difyspec_session={cookie}") == 200
    assert sent(f"difyspec_session=planted; __Host-difyspec_session={cookie}") == 200
    assert sent("__Host-difyspec_session=dead") == 401


def test_the_origin_of_a_name_that_is_not_ours_is_no_proof(call: Client, cookie: str) -> None:
    """Another site may point its name at this server: its pages then have the very origin that ``Host`` says."""
    rebound = {"Host": "evil.test", "Origin": "http://evil.test"}
    assert page(call, cookie, **rebound) == 403
    assert page(call, cookie, Host="localhost:8000", Origin="http://localhost:8000") == 200


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


@pytest.mark.parametrize(
    ("length", "told"), [(4096, "The page session has ended. Sign in again."), (4097, "Sign in first.")]
)
def test_a_cookie_that_is_too_long_is_not_even_looked_up(call: Client, opened: None, length: int, told: str) -> None:
    answer = call("POST", "/page", headers={"Cookie": f"difyspec_session={'x' * length}", "Origin": ORIGIN})
    assert (answer.status_code, answer.json()["message"]) == (401, told)


@pytest.mark.parametrize("origin", ["http://tiny.test.evil", "https://tiny.test", "http://tiny.test:81", "null", ""])
def test_another_origin_cannot_use_the_cookie(call: Client, cookie: str, origin: str) -> None:
    assert page(call, cookie, Origin=origin) == 403


def test_the_own_origin_or_the_csrf_token_is_proof(call: Client, cookie: str) -> None:
    assert page(call, cookie, Origin=ORIGIN) == 200
    assert page(call, cookie, **{"X-CSRF-Token": store.cookies.csrf_token(cookie)}) == 200


def test_the_own_origin_is_proof_also_where_a_proxy_names_the_server_otherwise(call: Client, cookie: str) -> None:
    assert page(call, cookie, Origin=ORIGIN, Host="localhost:8000") == 200


def test_a_wrong_csrf_token_is_not_saved_by_the_origin(call: Client, cookie: str) -> None:
    assert page(call, cookie, Origin=ORIGIN, **{"X-CSRF-Token": "x"}) == 403


def test_a_cookie_opens_no_bearer_operation(call: Client, cookie: str) -> None:
    headers = {"Cookie": f"difyspec_session={cookie}", "Origin": ORIGIN}
    assert call("GET", "/me", headers=headers).status_code == 401


def either(call: Client, **headers: str) -> tuple[int, str | None]:
    answer = call("GET", "/either", headers=headers)
    return answer.status_code, answer.json().get("code")


def test_an_operation_of_both_takes_a_bearer_or_a_page_with_its_proof(
    call: Client, bearer: dict[str, str], cookie: str, account: Any
) -> None:
    token = store.cookies.csrf_token(cookie)
    page_sends = {"Cookie": f"difyspec_session={cookie}"}
    assert either(call, **bearer) == either(call, **page_sends, **{"X-CSRF-Token": token}) == (200, None)
    assert call("GET", "/either", headers={**page_sends, "Origin": ORIGIN}).json()["subject"] == f"account:{account.id}"
    assert either(call, **page_sends) == (403, "csrf_failed")
    assert either(call, **page_sends, Origin="http://evil.test") == (403, "csrf_failed")
    assert either(call) == (401, "unauthorized")


def test_a_dead_bearer_is_not_saved_by_a_cookie_beside_it(call: Client, cookie: str) -> None:
    both = {"Cookie": f"difyspec_session={cookie}", "Origin": ORIGIN}
    assert either(call, **both, Authorization="Bearer dfoa_dead") == (401, "invalid_token")
    assert either(call, Authorization="Bearer dfoa_dead") == (401, "invalid_token")
    assert either(call, **both, Authorization="Basic eDp5") == (401, "unauthorized")


def test_each_page_has_its_own_minute(make: MakeClient, account: Any) -> None:
    call = make(rate_limit_per_token=1)
    first, second = store.cookies.open(account.id), store.cookies.open(account.id)
    statuses = [
        either(call, Cookie=f"difyspec_session={cookie}", Origin=ORIGIN)[0] for cookie in (first, first, second)
    ]
    assert statuses == [200, 429, 200]


def test_the_limit_of_an_account_counts_over_all_its_cookies(make: MakeClient, account: Any) -> None:
    call = make()
    statuses = [page(call, store.cookies.open(account.id), Origin=ORIGIN) for _ in range(3)]
    assert statuses == [200, 200, 429]
