"""Rate limits come from the contract, count in separate buckets, and say when to come back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import store.accounts
import store.sessions
from server.app import create_app
from server.lifespan import resources
from server.limits import Rule, rules_of
from store.windows import Bucket
from tests.server.conftest import Client, MakeClient, settings_in

BODY = {"name": "a"}


def token_of(account: Any, label: str) -> dict[str, str]:
    """A token of an account for one more device, as a header."""
    token, _ = store.sessions.mint(
        account_id=account.id,
        email=account.email,
        issuer=None,
        client_id="x",
        device_label=label,
        ttl=timedelta(days=1),
    )
    return {"Authorization": f"Bearer {token}"}


def spend(call: Client, times: int = 3, **headers: str) -> list[int]:
    return [call("POST", "/oauth", json=BODY, headers=headers).status_code for _ in range(times)]


def test_a_spent_bucket_says_when_to_come_back(call: Client) -> None:
    first = call("POST", "/oauth", json=BODY)
    assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("3", "2")
    assert spend(call, 2) == [200, 200]
    answer = call("POST", "/oauth", json=BODY)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit-remaining"] == "0"
    assert (answer.json()["error"], answer.json()["code"]) == ("slow_down", "too_many_requests")


def test_refused_requests_also_tell_what_is_left(call: Client) -> None:
    assert call("POST", "/oauth", json={}).headers["ratelimit-remaining"] == "2"


def test_addresses_have_their_own_buckets(make: MakeClient) -> None:
    call = make()
    assert spend(call, 4) == [200, 200, 200, 429]
    assert spend(Client(call.app, "192.0.2.2"), 1) == [200]


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(make: MakeClient) -> None:
    liar = make()
    assert [spend(liar, 1, **{"X-Forwarded-For": f"198.51.100.{n}"})[0] for n in range(4)] == [
        200,
        200,
        200,
        429,
    ]
    behind = make(trusted_proxies="192.0.2.0/24")
    assert [spend(behind, 1, **{"X-Forwarded-For": f"198.51.100.{n}"})[0] for n in range(4)] == [200] * 4


def test_each_token_has_its_own_minute(make: MakeClient, bearer: dict[str, str], external: dict[str, str]) -> None:
    call = make(rate_limit_per_token=2)
    assert [call("GET", "/me", headers=bearer).status_code for _ in range(3)] == [200, 200, 429]
    assert call("DELETE", "/me", headers=bearer).status_code == 429
    assert call("GET", "/me", headers=external).status_code == 200


def test_a_person_has_one_minute_for_all_tokens(make: MakeClient, account: Any, external: dict[str, str]) -> None:
    call = make(rate_limit_per_token=3, rate_limit_per_account=5)
    first, second, third = (token_of(account, f"device {number}") for number in range(3))
    seen = [call("GET", "/me", headers=token) for token in (first, first, first, first, second, second, second, third)]
    assert [answer.status_code for answer in seen] == [200, 200, 200, 429, 200, 200, 429, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in seen[:3]] == ["2", "1", "0"], "the tightest is told"
    assert (seen[5].headers["ratelimit-limit"], seen[5].headers["ratelimit-remaining"]) == ("5", "0")
    assert 1 <= int(seen[-1].headers["retry-after"]) <= 60
    assert call("GET", "/me", headers=external).status_code == 200


def test_zero_switches_the_limit_of_a_person_off(make: MakeClient, account: Any) -> None:
    call = make(rate_limit_per_token=1, rate_limit_per_account=0)
    assert [call("GET", "/me", headers=token_of(account, str(n))).status_code for n in range(8)] == [200] * 8


def test_what_one_token_is_refused_is_not_charged_to_its_person(make: MakeClient, account: Any) -> None:
    call = make(rate_limit_per_token=1, rate_limit_per_account=3)
    first, second = token_of(account, "first"), token_of(account, "second")
    assert [call("GET", "/me", headers=first).status_code for _ in range(9)] == [200] + [429] * 8
    assert call("GET", "/me", headers=second).status_code == 200


def test_invented_tokens_are_counted_by_address_and_leave_no_state(make: MakeClient, bearer: dict[str, str]) -> None:
    call = make(rate_limit_dead_tokens=5)
    counts = call.app.parts.counters._own
    seen = [call("GET", "/me", headers={"Authorization": f"Bearer dfoa_{n:043}"}) for n in range(40)]
    assert [answer.status_code for answer in seen] == [401] * 5 + [429] * 35
    assert [answer.headers["ratelimit-remaining"] for answer in seen[:6]] == ["4", "3", "2", "1", "0", "0"]
    assert seen[5].json()["code"] == "too_many_requests"
    assert len(counts) == 1
    assert call("GET", "/me", headers=bearer).status_code == 200, "a live token from the same address goes on"
    assert Client(call.app, "192.0.2.2")("GET", "/me", headers={"Authorization": "Bearer dfoa_x"}).status_code == 401


def test_zero_switches_the_count_of_dead_tokens_off(make: MakeClient, opened: None) -> None:
    call = make(rate_limit_dead_tokens=0)
    answers = [call("GET", "/me", headers={"Authorization": f"Bearer dfoa_{n:043}"}) for n in range(80)]
    assert {answer.status_code for answer in answers} == {401}


def test_no_token_is_no_bucket(make: MakeClient) -> None:
    call = make(rate_limit_per_token=1)
    assert [call("GET", "/me").status_code for _ in range(3)] == [401, 401, 401]


@pytest.mark.parametrize("off", [{"rate_limits": False}, {"rate_limits": "false"}])
def test_limits_can_be_switched_off(make: MakeClient, off: dict[str, object]) -> None:
    call = make(**off)
    assert spend(call, 5) == [200] * 5
    assert "ratelimit-limit" not in call("POST", "/oauth", json=BODY).headers


def test_zero_requests_a_minute_means_no_such_limit() -> None:
    assert rules_of({}, True, {"api": 0, "api-account": 0}) == []
    assert rules_of({}, True, {"api": 60, "api-account": 0}) == [Rule(Bucket("api", 60, 60), "token")]
    assert rules_of({}, False, {"api": 60, "api-account": 60}) == []


def test_a_rule_the_server_cannot_count_stops_the_start() -> None:
    with pytest.raises(ValueError, match="key is one of"):
        rules_of({"x-rate-limit": [{"bucket": "a", "key": "mood", "limit": 1, "window": 1}]}, False, {})


def test_of_two_limits_the_tightest_is_told_once(tmp_path: Path) -> None:
    """``getAccount`` is counted by token and by account; two lines of one header would be a list."""
    settings = settings_in(tmp_path, rate_limit_per_token=80)
    with resources(settings):
        ada = store.accounts.create("ada@mail.example", "Ada")
        token, _ = store.sessions.mint(
            account_id=ada.id, email=ada.email, issuer=None, client_id="x", device_label="y", ttl=timedelta(days=1)
        )
        answer = Client(create_app(settings))(
            "GET", "/account", base="/openapi/v1", headers={"Authorization": f"Bearer {token}"}
        )
    assert answer.headers.get_list("ratelimit-limit") == ["60"]
    assert answer.headers.get_list("ratelimit-remaining") == ["59"]
