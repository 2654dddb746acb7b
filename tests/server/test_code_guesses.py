"""Guessing user codes at the API: who is counted by what, who is never locked out, and how likely a hit is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

import contract
import store.accounts
import store.cookies
import store.device
import store.sessions
from handlers import config
from server.app import App, create_app
from server.lifespan import resources
from store import networks
from store.code_guesses import CodeGuesses
from store.windows import Windows
from tests.server.conftest import ORIGIN, Client, settings_in

WRONG = "BCDF-GHJK"
CODES = len(store.device.ALPHABET) ** 8
LIFE = 900  # seconds


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    made = create_app(settings_in(tmp_path_factory.mktemp("codes"), max_open_device_codes=50))
    with resources(made.parts.settings):
        yield made


@pytest.fixture
def app(built: App) -> App:
    """The app, with nothing counted yet."""
    built.parts.attempts._windows = Windows()
    built.parts.counters._own = Windows()
    return built


def buckets() -> dict[str, dict[str, Any]]:
    """The limits of a look-up, by whose they are."""
    (found,) = [op for _, _, op in contract.operations() if op["operationId"] == "lookupDeviceCode"]
    return {item["key"]: item for item in found["x-rate-limit"] if item.get("counts") == "wrong"}


def guesses_in_a_life(bucket: dict[str, Any]) -> int:
    """Most guesses in the life of a code: a window begins with its first hit, so one more than fit in are touched."""
    return int((LIFE // bucket["window"] + 1) * bucket["limit"])


def look(app: App, address: str, code: str = WRONG, **headers: str) -> httpx.Response:
    return Client(app, address)(
        "GET", "/oauth/device/lookup", base="/openapi/v1", params={"user_code": code}, headers=headers
    )


def waiting() -> str:
    return store.device.start("difyctl", "laptop", "203.0.113.9").user_code


def somebody() -> store.accounts.Account:
    return store.accounts.create(f"{uuid.uuid4()}@mail.example", "Ada")


def bearer() -> dict[str, str]:
    account = somebody()
    token, _ = store.sessions.mint(
        account_id=account.id, email=account.email, issuer=None, client_id="x", device_label="y", ttl=timedelta(days=1)
    )
    return {"Authorization": f"Bearer {token}"}


def use_up_everybodys(app: App) -> None:
    """Wrong codes of strangers, until there is no room for one more."""
    for _ in range(buckets()["everyone"]["limit"]):
        app.parts.attempts.count([(app.parts.code_buckets()["everyone"], "all")])


@pytest.mark.parametrize("key", ["address", "network", "everyone", "account"])
def test_with_ten_open_codes_a_guesser_hits_one_with_less_than_two_to_the_minus_twenty(key: str) -> None:
    assert guesses_in_a_life(buckets()[key]) * 10 / CODES < 2**-20


def test_wrong_codes_of_an_address_are_counted_and_right_ones_are_not(app: App) -> None:
    code = waiting()
    assert {look(app, "192.0.2.1", code).headers["ratelimit-remaining"] for _ in range(80)} == {"60"}
    seen = [look(app, "192.0.2.1") for _ in range(61)]
    assert [answer.status_code for answer in seen] == [200] * 60 + [429]
    assert [answer.headers["ratelimit-remaining"] for answer in seen[:2]] == ["59", "58"]
    right = look(app, "192.0.2.1", code)
    assert right.status_code == 429, "a guesser is not told that this one was right"
    assert 1 <= int(right.headers["retry-after"]) <= 300
    assert look(app, "192.0.2.2", code).json()["valid"] is True


@pytest.mark.parametrize("network", ["2001:db8:7:{:x}::1", "198.51.100.{}"])
def test_the_addresses_of_a_network_are_counted_together(app: App, network: str) -> None:
    for number in range(4):
        assert {look(app, network.format(number)).status_code for _ in range(60)} == {200}
    assert look(app, network.format(99)).status_code == 429
    assert look(app, "192.0.2.1", waiting()).json()["valid"] is True


def test_where_strangers_used_up_all_wrong_codes_a_look_up_asks_to_sign_in(app: App) -> None:
    code = waiting()
    use_up_everybodys(app)
    refused = look(app, "192.0.2.77", code)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.json()["hint"].startswith("Sign in")
    assert "www-authenticate" in refused.headers
    mine = bearer()
    assert look(app, "192.0.2.77", code, **mine).json()["valid"] is True
    cookie = store.cookies.open(somebody().id)
    page = {"Cookie": f"difyspec_session={cookie}", "X-CSRF-Token": store.cookies.csrf_token(cookie)}
    assert look(app, "192.0.2.77", code, **page).json()["valid"] is True
    assert look(app, "192.0.2.77", code, Authorization="Bearer dfoa_dead").status_code == 401


def test_an_account_has_ten_wrong_codes_an_hour_at_look_up_approve_and_deny_together(app: App) -> None:
    account = somebody()
    cookie = store.cookies.open(account.id)
    page = {"Cookie": f"difyspec_session={cookie}", "Origin": ORIGIN}
    code = waiting()

    def answer(what: str, typed: str) -> httpx.Response:
        sent = {"user_code": typed}
        return Client(app)("POST", f"/oauth/device/{what}", base="/openapi/v1", json=sent, headers=page)

    approved = answer("approve", waiting())
    assert (approved.status_code, approved.headers["ratelimit-remaining"]) == (200, "10")
    assert [look(app, "192.0.2.1", **page).headers["ratelimit-remaining"] for _ in range(3)] == ["9", "8", "7"]
    wrong = [answer(what, WRONG) for what in ("approve", "deny") for _ in range(3)]
    assert [one.status_code for one in wrong] == [404] * 6
    assert wrong[-1].headers["ratelimit-remaining"] == "1"
    assert [answer("approve", WRONG).status_code for _ in range(2)] == [404, 429]
    assert answer("deny", code).status_code == 429
    flow = store.device.lookup(code)
    assert flow is not None
    assert flow.status == "pending"
    other = bearer()
    assert look(app, "192.0.2.1", code, **other).json()["valid"] is True


def test_an_answered_code_counts_as_a_wrong_one_so_the_count_does_not_tell_them_apart(app: App) -> None:
    code = waiting()
    store.device.deny(code, somebody().id)
    assert look(app, "192.0.2.1", code).headers["ratelimit-remaining"] == "59"


def test_limits_that_are_off_count_no_codes(app: App) -> None:
    off = CodeGuesses(app.parts.attempts, {})
    assert [off.wrong("192.0.2.1", None) for _ in range(2000)] == [{}] * 2000


def test_without_rate_limits_neither_the_api_nor_the_pages_count_codes(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_current", config.current())  # is put back afterwards
    off = create_app(app.parts.settings.model_copy(update={"rate_limits": False}))
    cookie = {"Cookie": f"difyspec_session={store.cookies.open(somebody().id)}"}
    path = f"/device/confirm?user_code={WRONG}"
    for _ in range(buckets()["account"]["limit"] + 1):
        assert "ratelimit-remaining" not in look(off, "192.0.2.1").headers
        assert Client(off)("GET", path, base="", headers=cookie).status_code == 404


def code(app: App, address: str) -> httpx.Response:
    body = {"client_id": "difyctl", "device_label": "flood"}
    return Client(app, address)("POST", "/oauth/device/code", base="/openapi/v1", json=body)


@pytest.mark.parametrize(
    ("one", "other", "elsewhere"),
    [("2001:db8:7:1::1", "2001:db8:7:2::1", "2001:db8:8::1"), ("198.51.100.1", "198.51.100.2", "198.51.101.1")],
)
def test_the_addresses_of_a_network_ask_for_device_codes_together(
    app: App, one: str, other: str, elsewhere: str
) -> None:
    (around,) = app.parts.rules("network")["createDeviceCode"]
    for _ in range(around.bucket.limit - 1):
        app.parts.counters._own.hit(around.bucket, networks.network(one))
    assert [code(app, address).status_code for address in (one, other, elsewhere)] == [200, 429, 200]


def test_no_more_device_codes_wait_than_may(app: App) -> None:
    started = [waiting() for _ in range(50)]
    refused = code(app, "203.0.113.9")  # of the network that has all of them; another one would be made room for
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
    assert refused.headers["retry-after"] == "60"
    for one in started:
        store.device.deny(one, somebody().id)
    assert code(app, "203.0.113.9").status_code == 200
