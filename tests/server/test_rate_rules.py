"""Which limits an operation has: those the contract states, with the settings' numbers, narrow first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.limits import Counters, Rule, rules_of
from store.windows import Bucket

SIZES = {"api": 60, "api-account": 120}
TOKEN, ACCOUNT = Rule(Bucket("api", 60, 60), "token"), Rule(Bucket("api-account", 120, 60), "account")


def stated(bucket: str, key: str, limit: int = 5, window: int = 7, **more: Any) -> dict[str, Any]:
    return {"bucket": bucket, "key": key, "limit": limit, "window": window, **more}


def rules(*items: dict[str, Any], is_bearer: bool = False, sizes: dict[str, int] = SIZES) -> list[Rule]:
    return rules_of({"x-rate-limit": list(items)} if items else {}, is_bearer, sizes)


def test_what_takes_no_bearer_and_states_nothing_is_not_counted() -> None:
    assert rules() == []


def test_what_takes_a_bearer_is_counted_by_token_and_by_account() -> None:
    assert rules(is_bearer=True) == [TOKEN, ACCOUNT]
    assert rules(is_bearer=True, sizes={"api": 0, "api-account": 9}) == [Rule(Bucket("api-account", 9, 60), "account")]
    assert rules(is_bearer=True, sizes={}) == []


def test_what_the_contract_states_is_counted_as_it_says_and_the_narrowest_first() -> None:
    items = [stated(key, key) for key in ("everyone", "network", "address", "account", "token")]
    assert [rule.key for rule in rules(*items)] == ["token", "account", "address", "network", "everyone"]
    assert rules(stated("codes", "address", 0)) == [], "0 is no limit"
    assert rules(stated("codes", "address", 1)) == [Rule(Bucket("codes", 1, 7), "address", False)]
    assert rules(stated("codes", "address", 1, counts="wrong")) == [Rule(Bucket("codes", 1, 7), "address", True)]
    assert not rules(stated("codes", "address", 1, counts="all"))[0].counts_wrong
    assert not rules(stated("codes", "address", 1, counts="zeros"))[0].counts_wrong


def test_a_setting_takes_the_place_of_the_contracts_number_and_a_stated_bucket_is_not_doubled() -> None:
    assert rules(stated("api", "token", 1), is_bearer=True) == [Rule(Bucket("api", 60, 7), "token"), ACCOUNT]
    assert rules(stated("codes", "address", 1), is_bearer=True) == [
        TOKEN,
        ACCOUNT,
        Rule(Bucket("codes", 1, 7), "address"),
    ]


def test_an_unknown_kind_of_key_stops_the_start() -> None:
    with pytest.raises(ValueError, match="not 'colour'"):
        rules(stated("codes", "colour"))


def test_without_redis_this_process_counts() -> None:
    async def hits() -> list[bool]:
        counters = Counters()
        rule = Rule(Bucket("codes", 2, 60), "address")
        return [(await counters.hit(rule, key)).allowed for key in ("a", "a", "a", "b")]

    assert asyncio.run(hits()) == [True, True, False, True]
