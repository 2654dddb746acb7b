"""What counts as a credential, and what an operation demands of who has one."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from server.may import Demand, May, demand_of
from server.security import MAX_CREDENTIAL, token_of
from store.caller import Caller
from store.refusal import Refusal

EXTERNAL = Caller(
    "external_sso", None, "g@x.example", "i", "G", "s", "c", frozenset({"read", "write"}), datetime.now(UTC)
)
ACCOUNT = dataclasses.replace(EXTERNAL, subject_type="account", account_id="a", scopes=frozenset({"full"}))


def scope(*authorization: str) -> dict[str, Any]:
    headers = [(b"authorization", one.encode()) for one in authorization]
    return {"headers": [(b"accept", b"*/*"), *headers, (b"x-other", b"Bearer no")]}


@pytest.mark.parametrize(
    ("lines", "token"),
    [
        (["Bearer abc"], "abc"),
        (["bEARER  abc "], "abc"),
        (["Bearer " + "x" * (MAX_CREDENTIAL - 7)], "x" * (MAX_CREDENTIAL - 7)),
        (["Bearer " + "x" * (MAX_CREDENTIAL - 6)], None),
        (["Bearer abc", "Bearer abc"], None),
        (["Bearer "], None),
        (["Basic abc"], None),
        (["Digest abc"], None),
        (["Zearer abc"], None),
        ([], None),
    ],
)
def test_a_token_is_one_bearer_of_bounded_length(lines: list[str], token: str | None) -> None:
    assert token_of(scope(*lines)) == token


@pytest.mark.parametrize("scopes", [{"read"}, {"read", "write"}, set()])
@pytest.mark.parametrize("kinds", [{"external_sso"}, {"account", "external_sso"}, set()])
def test_who_holds_the_scopes_and_is_of_the_kind_may(scopes: set[str], kinds: set[str]) -> None:
    Demand(frozenset(scopes), frozenset(kinds)).check(EXTERNAL)


@pytest.mark.parametrize(
    ("demand", "caller", "code"),
    [
        (Demand(frozenset({"read", "delete"}), frozenset()), EXTERNAL, "insufficient_scope"),
        (Demand(frozenset({"delete"}), frozenset({"external_sso"})), EXTERNAL, "insufficient_scope"),
        (Demand(frozenset(), frozenset({"account"})), EXTERNAL, "unsupported_token_type"),
        (Demand(frozenset(), frozenset({"external_sso"})), ACCOUNT, "unsupported_token_type"),
    ],
)
def test_who_lacks_a_scope_or_is_of_another_kind_may_not(demand: Demand, caller: Caller, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        demand.check(caller)
    assert caught.value.code == code


def test_the_scope_full_is_every_scope() -> None:
    Demand(frozenset({"delete"}), frozenset({"account"})).check(ACCOUNT)


@pytest.mark.parametrize(
    ("security", "raw", "scopes", "subjects"),
    [
        ([{"bearer": ["read"]}, {"page": ["write", "see"]}], {}, {"read", "write", "see"}, set()),
        ([{"bearer": []}], {"x-scope": "read write"}, {"read", "write"}, set()),
        ([{"bearer": ["see"]}], {"x-scope": ["read"], "x-subject-types": ["account"]}, {"see", "read"}, {"account"}),
        ([{"bearer": []}], {"x-subject-types": "account external_sso"}, set(), {"account", "external_sso"}),
    ],
)
def test_a_demand_is_what_the_contract_says(
    security: list[Any], raw: dict[str, Any], scopes: set[str], subjects: set[str]
) -> None:
    assert asked(security, raw) == Demand(frozenset(scopes), frozenset(subjects))


@pytest.mark.parametrize(("security", "raw"), [([{"bearer": []}], {}), ([], {"x-scope": "read"}), ([], {})])
def test_what_demands_nothing_or_is_open_to_all_is_no_demand(security: list[Any], raw: dict[str, Any]) -> None:
    assert asked(security, raw) is None


def asked(security: list[Any], raw: dict[str, Any]) -> Demand | None:
    operation: Any = SimpleNamespace(raw=raw)
    blueprint: Any = SimpleNamespace(security=lambda _: security)
    return demand_of(operation, blueprint)


def test_only_requests_are_asked_and_everything_else_passes() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def call(kind: str, **extensions: Any) -> None:
        await May(app, {"op": Demand(frozenset({"delete"}), frozenset())})(
            {"type": kind, "extensions": extensions},
            None,  # type: ignore[arg-type]
            None,  # type: ignore[arg-type]
        )

    routed = {"connexion_routing": {"operation_id": "op"}, "connexion_context": {"user": EXTERNAL}}
    asyncio.run(call("http"))
    for kind in ("lifespan", "websocket"):
        asyncio.run(call(kind, **routed))
    with pytest.raises(Refusal):
        asyncio.run(call("http", **routed))
    assert seen == ["http", "lifespan", "websocket"]
