"""What is sent of a payload: the same whether it is plain or has to be looked through."""

from __future__ import annotations

import enum
import gc
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import wire
from engine.events.jsonable import jsonable
from engine.events.truncate import truncate
from engine.running import loading


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.Enum):
    HIGH = 3


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.sampled_from(
        [Colour.RED, Level.HIGH, Decimal("1.50"), b"\xff", date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)]
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.frozensets(st.integers(0, 9), max_size=1),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(0, 9), st.just(Colour.RED)), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(TREES)
def test_the_quick_way_writes_what_the_thorough_way_writes(tree: Any) -> None:
    assert orjson.loads(wire.text(tree)) == orjson.loads(orjson.dumps(jsonable(tree)))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_event_is_one_line_for_readers_of_every_kind_and_says_the_same(words: str) -> None:
    said = {"answer": f"{words}\u2028\x85\u2029é\r\n\x0c\x1c"}
    line = wire.text(said)
    assert line.splitlines() == [line]
    assert orjson.loads(line) == said


def test_the_engine_is_loaded_and_made_lasting_once_whoever_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    lasting: list[int] = []
    monkeypatch.setattr(loading, "_loaded", None)
    monkeypatch.setattr(gc, "freeze", lambda: lasting.append(1))
    monkeypatch.setattr(gc, "set_threshold", lambda *given: None)
    asking = [threading.Thread(target=loading.execution) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert lasting == [1]


def test_what_would_be_cut_into_too_many_pieces_is_left_out() -> None:
    long = "x" * 300_000
    assert truncate({"a": long, "b": 1}) == ({"a": "x" * 100_000, "b": 1}, True)
    assert truncate({str(n): [long] * 1000 for n in range(100)})[0]["7"] == "[too large to be shown]"
