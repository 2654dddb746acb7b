"""Windows: they count as a simple model does, and no number of keys makes their table grow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import store.clock
from store.attempts import Attempts, Spent
from store.refusal import Refusal
from store.windows import Bucket, Windows
from tests.doubles import FakeClock

SMALL, LONG = Bucket("small", 3, 60), Bucket("long", 2, 600)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock in use, without a store."""
    made = FakeClock()
    store.clock.install(made, None)
    yield made
    store.clock.install(None, None)


class Model:
    """What windows promise, in the plainest words: every hit of a key since its window began."""

    def __init__(self) -> None:
        self.began: dict[tuple[str, str], float] = {}
        self.hits: dict[tuple[str, str], int] = {}

    def hit(self, bucket: Bucket, key: str, now: float) -> tuple[bool, int, int]:
        whose = (bucket.name, key)
        if whose not in self.began or now - self.began[whose] >= bucket.seconds:
            self.began[whose], self.hits[whose] = now, 0
        allowed = self.hits[whose] < bucket.limit
        self.hits[whose] += allowed
        return allowed, bucket.limit - self.hits[whose], bucket.seconds - int(now - self.began[whose])


STEPS = st.lists(st.tuples(st.sampled_from([SMALL, LONG]), st.sampled_from("abc"), st.integers(0, 200)), max_size=60)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(STEPS)
def test_hits_are_counted_as_the_model_counts_them(steps: list[tuple[Bucket, str, int]]) -> None:
    clock, model, windows = FakeClock(), Model(), Windows()
    store.clock.install(clock, None)
    try:
        for bucket, key, wait in steps:
            clock.advance(wait)
            seen = windows.look(bucket, key)
            told = windows.hit(bucket, key)
            assert (told.allowed, told.remaining, told.reset) == model.hit(bucket, key, clock.monotonic())
            assert seen.allowed == told.allowed
            assert seen.remaining == told.remaining + told.allowed
            assert told.limit == bucket.limit
    finally:
        store.clock.install(None, None)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=200))
def test_the_table_never_holds_more_keys_than_it_may(steps: list[tuple[int, int]]) -> None:
    clock, windows = FakeClock(), Windows(most=7)
    store.clock.install(clock, None)
    try:
        for key, wait in steps:
            clock.advance(wait)
            windows.hit(SMALL, str(key))
            assert len(windows) <= 7
    finally:
        store.clock.install(None, None)


def test_windows_that_have_ended_are_freed_by_the_next_key(clock: FakeClock) -> None:
    windows = Windows()
    for key in range(1000):
        windows.hit(SMALL, str(key))
    assert len(windows) == 1000
    clock.advance(60)
    windows.hit(SMALL, "one more")
    assert len(windows) == 1


def test_a_full_table_forgets_the_window_that_ends_first(clock: FakeClock) -> None:
    windows = Windows(most=2)
    for key in ("first", "second", "third"):
        windows.hit(SMALL, key)
        clock.advance(1)
    assert [windows.look(SMALL, key).remaining for key in ("first", "second", "third")] == [3, 2, 2]


def test_a_wall_clock_that_is_set_changes_no_window(clock: FakeClock) -> None:
    windows = Windows()
    windows.hit(LONG, "a")
    clock.jump(-86_400)
    assert (windows.look(LONG, "a").remaining, windows.look(LONG, "a").reset) == (1, 600)
    clock.jump(10 * 86_400)
    assert windows.look(LONG, "a").remaining == 1


def test_what_a_narrow_bucket_refuses_is_not_charged_to_a_wider_one(clock: FakeClock) -> None:
    attempts, charges = Attempts(), [(LONG, "stranger"), (SMALL, "everybody")]
    for _ in range(2):
        attempts.count(charges)
    for _ in range(50):
        with pytest.raises(Spent):
            attempts.count(charges)
    assert attempts.look([(SMALL, "everybody")]).remaining == 1


def test_what_a_wide_bucket_refuses_is_charged_to_the_narrower_ones(clock: FakeClock) -> None:
    """Else whoever waits for a free place in the wide one could ask for it without end."""
    attempts = Attempts()
    for _ in range(2):
        attempts.count([(LONG, "everybody")])
    for _ in range(3):
        with pytest.raises(Spent) as wide:
            attempts.count([(SMALL, "stranger"), (LONG, "everybody")])
        assert wide.value.bucket is LONG
    with pytest.raises(Spent) as narrow:
        attempts.count([(SMALL, "stranger"), (LONG, "everybody")])
    assert narrow.value.bucket is SMALL


def test_a_spent_bucket_says_when_to_come_back(clock: FakeClock) -> None:
    attempts = Attempts()
    attempts.count([(LONG, "a")])
    attempts.count([(LONG, "a")])
    clock.advance(200)
    with pytest.raises(Refusal) as refused:
        attempts.count([(LONG, "a")])
    assert refused.value.headers["Retry-After"] == "400"
    clock.advance(400)
    assert attempts.count([(LONG, "a")]).remaining == 1
