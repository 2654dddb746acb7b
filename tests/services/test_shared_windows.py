"""Windows in a real Redis: they count as those in memory do, and every key of theirs has an end."""

from __future__ import annotations

import httpx
import pytest
import redis

from store.attempts import Attempts, Spent
from store.shared_windows import SharedWindows
from store.windows import Bucket, Windows
from tests.services.conftest import Serve

SMALL, LONG = Bucket("small", 3, 60), Bucket("long", 2, 600)
STEPS = [(SMALL, "a"), (LONG, "a"), (SMALL, "b"), (SMALL, "a"), (LONG, "a"), (LONG, "a"), (SMALL, "a"), (SMALL, "a")]


def test_shared_windows_count_as_those_in_memory(redis_url: str) -> None:
    shared, own = SharedWindows(redis_url), Windows()
    for bucket, key in STEPS:
        for one, other in ((shared.look, own.look), (shared.hit, own.hit)):
            told, wanted = one(bucket, key), other(bucket, key)
            assert (told.allowed, told.limit, told.remaining) == (wanted.allowed, wanted.limit, wanted.remaining)
            assert 0 < told.reset <= bucket.seconds


def test_every_key_has_an_end_and_a_look_makes_none(redis_url: str) -> None:
    client, shared = redis.Redis.from_url(redis_url), SharedWindows(redis_url)
    shared.look(SMALL, "nobody")
    for bucket, key in STEPS:
        shared.hit(bucket, key)
    left = {key.decode(): client.pttl(key) for key in client.scan_iter("difyspec:*")}
    assert set(left) == {"difyspec:small:a", "difyspec:small:b", "difyspec:long:a"}
    assert all(0 < milliseconds <= 600_000 for milliseconds in left.values())


def test_what_a_narrow_bucket_refuses_is_not_charged_to_a_wider_one(redis_url: str) -> None:
    attempts = Attempts(redis_url)
    for number in range(10):
        if number < LONG.limit:
            attempts.count([(LONG, "stranger"), (SMALL, "everybody")])
        else:
            with pytest.raises(Spent):
                attempts.count([(LONG, "stranger"), (SMALL, "everybody")])
    assert attempts.look([(SMALL, "everybody")]).remaining == 1


def test_invented_tokens_leave_one_key_for_their_address(redis_url: str, serve: Serve) -> None:
    server = serve(REDIS_URL=redis_url)
    with httpx.Client(base_url=server.api) as client:
        seen = [
            client.get("/account", headers={"Authorization": f"Bearer dfoa_{number:043}"}).status_code
            for number in range(70)
        ]
    assert seen == [401] * 60 + [429] * 10
    keys = list(redis.Redis.from_url(redis_url).scan_iter("difyspec:*"))
    assert len(keys) == 1
