"""A body is read once, within bounds, and handed on whole; what is refused is noted for the answer."""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest

from server.body_gate import BodyGate, Passage
from server.body_room import BodyRoom, Place
from server.body_spool import Spool
from server.threads import Threads
from store.refusal import REFUSED, Refusal

LIMIT = 10
FORM = (b"content-type", b"Multipart/Form-Data; boundary=x")
FILES = re.compile(r"/files/\w+")
LEFT = {"type": "http.disconnect"}


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Met:
    """A request that went through the gate: whether the application was asked, what it read, what it was told."""

    def __init__(
        self,
        *messages: dict[str, Any],
        headers: tuple[tuple[bytes, bytes], ...] = (),
        method: str = "POST",
        kind: str = "http",
        path: str = "/files/one",
        seconds: float = 60,
        **gate: Any,
    ) -> None:
        self.asked, self.body, self.left = False, b"", list(messages)
        self.scope: dict[str, Any] = {"type": kind, "method": method, "path": path, "headers": list(headers)}
        asyncio.run(BodyGate(self._app, LIMIT, seconds, **gate)(self.scope, self._receive, self._send))

    async def _receive(self) -> Any:
        if not self.left:
            await asyncio.Event().wait()
        return self.left.pop(0)

    async def _send(self, message: Any) -> None: ...

    async def _app(self, scope: Any, receive: Callable[[], Any], send: Any) -> None:
        self.asked, more = True, self.scope["type"] == "http"
        while more:
            message = await receive()
            self.body += message.get("body", b"")
            more = message.get("more_body", False)
        if self.left == [LEFT]:
            self.after = await receive()

    @property
    def refused(self) -> Refusal | None:
        return self.scope.get(REFUSED)

    @property
    def lengths(self) -> list[bytes]:
        return [value for name, value in self.scope["headers"] if name == b"content-length"]


def test_a_body_in_pieces_is_handed_on_whole_with_its_length_and_nothing_of_how_it_came() -> None:
    met = Met(part(b"abc", more=True), {"type": "http.request", "more_body": True}, part(b"de"),
              headers=((b"transfer-encoding", b"chunked"), (b"accept", b"*/*"), (b"content-length", b"9")))  # fmt: skip
    assert (met.body, met.refused) == (b"abcde", None)
    assert met.scope["headers"] == [(b"accept", b"*/*"), (b"content-length", b"5")]


def test_what_comes_after_the_body_is_what_the_client_does() -> None:
    met = Met(part(b"abc"), LEFT)
    assert (met.body, met.after) == (b"abc", LEFT)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_request_without_a_body_passes_as_it_is(method: str) -> None:
    met = Met(part(b"x" * 99), method=method, headers=((b"content-length", b"99"),))
    assert (met.body, met.lengths) == (b"x" * 99, [b"99"])


def test_what_is_no_request_passes_as_it_is() -> None:
    assert Met(kind="lifespan").asked
    assert Met(kind="websocket").lengths == []


@pytest.mark.parametrize("sizes", [(LIMIT,), (4, LIMIT - 4)])
def test_a_body_may_be_as_long_as_the_limit(sizes: tuple[int, ...]) -> None:
    parts = [part(b"x" * size, more=at < len(sizes) - 1) for at, size in enumerate(sizes)]
    met = Met(*parts, headers=((b"content-length", b"%d" % LIMIT),))
    assert (met.body, met.refused) == (b"x" * LIMIT, None)


def test_a_longer_body_is_refused_without_reading_on() -> None:
    met = Met(part(b"x" * LIMIT, more=True), part(b"x", more=True), part(b"never read"))
    assert met.refused
    assert (met.refused.code, met.refused.headers) == ("request_entity_too_large", {"Connection": "close"})
    assert (met.body, met.lengths, len(met.left)) == (b"", [b"0"], 1)


@pytest.mark.parametrize("lengths", [(b"11",), (b"3", b"11"), (b"11", b"3")])
def test_a_body_that_is_stated_to_be_longer_is_not_read_at_all(lengths: tuple[bytes, ...]) -> None:
    met = Met(part(b"abc"), headers=tuple((b"content-length", one) for one in lengths))
    assert met.refused
    assert (met.refused.code, len(met.left)) == ("request_entity_too_large", 1)


def test_what_is_no_length_states_none() -> None:
    assert Met(part(b"abc"), headers=((b"content-length", b"-1"), (b"content-length", b"many"))).body == b"abc"


def test_nobody_is_asked_for_a_client_that_left() -> None:
    assert not Met(part(b"abc", more=True), LEFT).asked


def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    met = Met(part(b"abc", more=True), seconds=0)
    assert met.refused
    assert (met.refused.code, met.refused.message) == ("bad_request", "The body did not arrive within 0 seconds.")
    assert (met.refused.headers, met.body) == ({"Connection": "close"}, b"")


PASSAGE = Passage(FILES, 20, 60)


def test_an_upload_passes_uncollected_up_to_its_own_limit() -> None:
    met = Met(part(b"x" * 15, more=True), part(b"y" * 5), headers=(FORM, (b"content-length", b"20")), passage=PASSAGE)
    assert (met.body, met.refused, met.lengths) == (b"x" * 15 + b"y" * 5, None, [b"20"])


def test_an_upload_that_is_stated_to_be_longer_is_noted_and_one_that_is_longer_ends_there() -> None:
    met = Met(part(b"x"), headers=(FORM, (b"content-length", b"21")), passage=PASSAGE)
    assert met.asked
    assert met.refused
    assert met.refused.code == "request_entity_too_large"
    with pytest.raises(Refusal, match="larger than 20 bytes"):
        Met(part(b"x" * 15, more=True), part(b"y" * 6), headers=(FORM,), passage=PASSAGE)


@pytest.mark.parametrize(("each", "all_of_it"), [(0, 60), (60, 0)])
def test_an_upload_that_stalls_is_cut_off(each: float, all_of_it: float) -> None:
    with pytest.raises(Refusal, match="did not arrive in time") as caught:
        Met(headers=(FORM,), seconds=each, passage=Passage(FILES, 20, all_of_it))
    assert (caught.value.code, caught.value.headers) == ("bad_request", {"Connection": "close"})


@pytest.mark.parametrize(
    ("path", "headers"), [("/files/one/more", (FORM,)), ("/files/one", ()), ("/files/one", ((b"accept", FORM[1]),)),
                          ("/files/one", ((b"content-type", b"application/json"),))],
)  # fmt: skip
def test_only_multipart_bodies_at_the_paths_of_uploads_pass(path: str, headers: Any) -> None:
    met = Met(part(b"x" * 15), path=path, headers=headers, passage=PASSAGE)
    assert met.refused


def test_a_form_with_files_is_collected_on_disk_up_to_what_it_may_bring() -> None:
    spool = Spool(re.compile(r"/files/(\w+)"), lambda token: {"one": 5, "none": 0}[token], 60, Threads(1))
    assert Met(part(b"x" * 7, more=True), part(b"y" * 8), headers=(FORM,), spool=spool).body == b"x" * 7 + b"y" * 8
    for path, size in (("/files/one", 16), ("/files/none", 11), ("/elsewhere", 11)):
        met = Met(part(b"x" * size), headers=(FORM,), path=path, spool=spool)
        assert met.refused, path
        assert (met.body, met.lengths) == (b"", [b"0"])
    assert Met(part(b"x" * 10), headers=(FORM,), path="/files/none", spool=spool).body == b"x" * 10


def test_a_form_for_a_full_disk_is_refused_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened() -> Iterator[Any]:
        def take(chunk: bytes) -> None:
            raise OSError(28, "full")

        yield SimpleNamespace(tell=lambda: 3, truncate=lambda size: size), take

    monkeypatch.setattr("server.body_gate.body_spool.opened", opened)
    spool = Spool(re.compile(r"/files/(\w+)"), lambda token: {"one": 5, "none": 0}[token], 60, Threads(1))
    assert Met(part(b"abc"), headers=(FORM,), path="/files/none", spool=spool).body == b"abc", "not on disk"
    met = Met(part(b"abc"), headers=(FORM,), spool=spool)
    assert met.refused
    assert (met.refused.code, met.refused.headers, met.body) == ("service_unavailable", {"Connection": "close"}, b"")


def test_the_network_that_holds_most_of_bodies_makes_room_for_others() -> None:
    room, dropped = BodyRoom(100), list[str]()
    theirs = [Place(room, "many", partial(dropped.append, str(number))) for number in range(200)]
    assert sum(one.take(1) for one in theirs) == 100
    mine = Place(room, "few", partial(dropped.append, "mine"))
    assert mine.take(40)
    assert dropped == [str(number) for number in range(40)]
    assert not theirs[0].take(0)  # what was dropped is told so
    assert theirs[40].take(0)
    assert not theirs[150].take(1)  # nobody holds more than they do
    for one in theirs:
        one.arrived()
    assert not Place(room, "another", partial(dropped.append, "another")).take(30)  # whole ones stay
    for one in (*theirs, mine):
        one.leave()
        one.leave()
    assert (room.total, room.held, room.arriving) == (0, {}, {"another": ANY})


def test_no_more_is_held_than_there_is_room_for_however_many_send() -> None:
    room = BodyRoom(1000)
    for number in range(20):
        while Place(room, str(number), list).take(10):
            assert room.total <= 1000
    assert Place(room, "one more", list).take(10)


def test_a_body_holds_room_until_it_is_handed_on_and_without_room_it_is_refused() -> None:
    room, held = BodyRoom(8), []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        held.append(room.total)
        await receive()
        held.append(room.total)

    def asked(*messages: Any) -> Refusal | None:
        left = list(messages)

        async def receive() -> Any:
            return left.pop(0)

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": ("192.0.2.1", 1)}
        asyncio.run(BodyGate(app, LIMIT, 60, room=room)(scope, receive, receive))
        refused: Refusal | None = scope.get(REFUSED)  # type: ignore[assignment]
        return refused

    assert asked(part(b"x" * 5, more=True), part(b"xxx")) is None
    assert held == [8, 0]
    refused = asked(part(b"x" * 5, more=True), part(b"xxxx"))
    assert refused
    assert (refused.code, refused.headers) == ("service_unavailable", {"Connection": "close", "Retry-After": "5"})
    assert room.total == 0


def test_what_was_handed_on_is_not_kept_for_as_long_as_its_answer_takes() -> None:
    class Piece(bytearray):
        pass

    piece = Piece(b"abc")
    kept = weakref.ref(piece)
    messages = [{"type": "http.request", "body": piece, "more_body": False}]
    del piece

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        assert kept() is None

    async def receive() -> Any:
        return messages.pop()

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(BodyGate(app, LIMIT, 60)(scope, receive, receive))
