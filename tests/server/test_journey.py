"""The journey of a request is a list, and the app is built from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from connexion.exceptions import ResolverError

from server.app import Operations, create_app, create_stock_app
from server.journey import JOURNEY
from tests.server.conftest import CONTRACT, HANDLERS, Client, MakeClient, settings_in

NAMES = [
    "body gate", "request id", "headers", "errors", "outside", "route", "limit", "who", "share", "may",
    "streams", "shape in", "do", "shape out",
]  # fmt: skip


def test_the_stops_come_in_their_order() -> None:
    assert [stop.name for stop in JOURNEY] == NAMES
    assert [stop.name for stop in JOURNEY if stop.is_step] == ["shape in", "do", "shape out"]


def test_every_operation_passes_every_step(make: MakeClient) -> None:
    frame = make().app.frame
    while not isinstance(frame, Operations):
        frame = getattr(frame, "app", None) or frame.next_app
    assert set(frame.compiled) == set(HANDLERS)


def test_the_ledger_counts_what_the_contract_holds(make: MakeClient) -> None:
    ledger = make().app.ledger
    assert (ledger.paths, ledger.operations, ledger.streams, ledger.unclaimed) == (12, 16, 1, 0)
    assert ledger.docs == "http://tiny.test/tiny/docs"
    assert "0 unclaimed" in str(ledger)


def test_an_unclaimed_operation_stops_the_start(tmp_path: Path) -> None:
    some = {name: handler for name, handler in HANDLERS.items() if name != "getMe"}
    with pytest.raises(ResolverError, match="getMe"):
        create_app(settings_in(tmp_path), contract=CONTRACT, handlers=some, with_pages=False)
    with pytest.raises(ResolverError, match=r"handlers\.odd"):
        create_app(settings_in(tmp_path), contract=CONTRACT, with_pages=False)


def test_a_handler_that_asks_for_more_than_the_contract_offers_stops_the_start(tmp_path: Path) -> None:
    async def greedy(mood: str) -> dict[str, str]:
        return {"mood": mood}

    with pytest.raises(TypeError, match="mood"):
        create_app(
            settings_in(tmp_path),
            contract=CONTRACT,
            handlers={**HANDLERS, "getHealth": greedy},
            with_pages=False,
        )


def test_the_stock_app_answers_the_same(tmp_path: Path) -> None:
    app = create_stock_app(settings_in(tmp_path), contract=CONTRACT, handlers=HANDLERS, with_pages=False)
    call = Client(app)
    assert call("GET", "/health").json() == {}
    assert call("POST", "/maybe", json={"name": "a"}).json() == {"body": {"name": "a"}}
    for path, status in (("/nothing", 404), ("/me", 401), ("/raise/exception", 500), ("/raise/refusal", 409)):
        answer = call("GET", path)
        assert answer.status_code == status
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
