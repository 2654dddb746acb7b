"""What stands before the journey of a request: heads, connections, and answers that nobody takes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import StreamingResponse

import contract
import server.protocol
from server.heads import Bounds
from server.sending import LEAST_READ
from tests.judge import transport_fair
from tests.server.edge import GET, POST, Edge, Wire, alone, served
from tests.waiting import HANG, until

NAMED = b'{"name":"a"}'
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
TOO_LARGE = {
    "an address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a query": (b"GET /?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "an address without an end": (b"GET /" + b"a" * 3_000_000, 414),
    "a header line": (GET + b"A: " + b"a" * 33_000 + b"\r\n\r\n", 431),
    "a header line without an end": (GET + b"A: " + b"a" * 3_000_000, 431),
    "a header name without an end": (GET + b"a" * 3_000_000, 431),
    "all lines together": (GET + (b"A: " + b"a" * 1000 + b"\r\n") * 40 + b"\r\n", 431),
    "many tiny lines": (GET + b"A:\r\n" * 101 + b"\r\n", 431),
    "blank lines before a request": (b"\r\n" * 1_000_000, 431),
    "trailers": (CHUNKED + b"c\r\n" + NAMED + b"\r\n0\r\nA: " + b"a" * 1_000_000, 431),
    "the extension of a chunk": (CHUNKED + b"c;" + b"a" * 1_000_000, 431),
}
BROKEN = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "the same host twice": GET + b"Host: x\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "a host that is a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: a@x\r\n\r\n",
    "a host with a comma": b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n",
    "a host in HTTP/1.0 that is none": b"GET / HTTP/1.0\r\nHost: \x80\r\n\r\n",
    "another host in the address": b"GET http://y/tiny/health HTTP/1.1\r\nHost: x\r\n\r\n",
    "a proxy's request": b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "NUL in a header": GET + b"X-Request-Id: a\0b\r\n\r\n",
    "CR in a header": GET + b"Last-Event-ID: a\rb\r\n\r\n",
    "LF in a header": GET + b"X-Forwarded-For: a\nb\r\n\r\n",
    "a folded header": GET + b"Idempotency-Key: a\r\n b\r\n\r\n",
    "a space in a header's name": GET + b"A : a\r\n\r\n",
    "two lengths": POST + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n" + NAMED,
    "a length of letters": POST + b"Content-Length: ten\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length and chunks": POST + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "a chunk without a size": CHUNKED + b"zz\r\n",
    "a chunk of too great a size": CHUNKED + b"fffffffffffffffff\r\n",
}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """A server with the default bounds."""
    with served(tmp_path_factory.mktemp("edge"), handlers={"echoQuery": _headers}) as running:
        yield running


async def _headers(**_: Any) -> dict[str, Any]:
    """The header lines that the app was given."""
    from connexion import request

    await asyncio.sleep(0)
    return {name.decode(): value.decode() for name, value in request.scope["headers"]}


def refused(edge: Edge, data: bytes, status: int) -> dict[str, Any]:
    """The body of a refusal that ends the connection and is as the contract says."""
    wire = edge.wire().send(data)
    answer = wire.answer()
    assert (answer.status, answer.headers["connection"]) == (status, "close"), answer
    assert answer.headers["x-frame-options"] == "DENY"
    body = transport_fair(answer.status, answer.headers, answer.body)
    assert wire.is_closed()
    return body


@pytest.mark.parametrize("what", TOO_LARGE)
def test_a_head_over_its_bounds_is_refused_while_it_arrives(edge: Edge, what: str) -> None:
    data, status = TOO_LARGE[what]
    refused(edge, data, status)
    assert edge(GET + b"\r\n").status == 200


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_not_valid_http_is_refused_in_the_canonical_shape(edge: Edge, what: str) -> None:
    refused(edge, BROKEN[what], 400)


def test_no_more_than_the_bound_and_one_read_of_an_address_is_ever_kept() -> None:
    """Adding up a long address piece by piece took the square of its length."""
    protocol, wire = alone(Bounds(url_bytes=8192, head_bytes=32768))
    fed = 0
    protocol.data_received(b"GET /")
    while not wire.half_closed:
        protocol.data_received(b"a" * 1000)
        fed += 1000
    assert fed <= 10_000
    assert wire.written.startswith(b"HTTP/1.1 414 ")
    protocol.data_received(b"a" * 1_000_000)
    assert sum(map(len, protocol.target)) <= 10_000
    [linger] = wire.running
    linger.run_out()
    assert wire.ended


def test_a_head_within_its_bounds_is_taken(edge: Edge) -> None:
    answer = edge(b"GET /tiny/health?" + b"a" * 8100 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 422
    lines = b"".join(b"A%d: " % number + b"a" * 250 + b"\r\n" for number in range(90))
    wire = edge.wire()
    head = GET + lines + b"\r\n"
    for start in range(0, len(head), 999):
        wire.send(head[start : start + 999])
    assert wire.answer().status == 200


@pytest.mark.parametrize("host", [b"x", b"x:80", b"[::1]:80", b"a_b.example", b"127.0.0.1:8000"])
def test_a_host_is_a_name_or_an_address_and_a_port(edge: Edge, host: bytes) -> None:
    assert edge(b"GET /tiny/health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").status == 200


def test_http_1_0_needs_no_host(edge: Edge) -> None:
    assert edge(b"GET /tiny/health HTTP/1.0\r\n\r\n").status == 200


def test_the_name_of_a_refused_request_is_the_clients_own_where_it_was_read(edge: Edge) -> None:
    body = refused(edge, GET + b"X-Request-Id: mine\r\nHost: y\r\n\r\n", 400)
    assert body["request_id"] == "mine"


@pytest.mark.parametrize("kind", [b"websocket", b"h2c"])
def test_an_upgrade_is_a_plain_request(edge: Edge, kind: bytes) -> None:
    upgrade = (
        b"Connection: Upgrade\r\nUpgrade: " + kind + b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n"
    )
    assert edge(GET + upgrade + b"\r\n").status == 200
    wire = edge.wire().send((GET + upgrade + b"\r\n") * 2)
    assert [wire.answer().status, wire.answer().status] == [200, 200]
    for framing, body in (
        (b"Content-Length: 12\r\n\r\n", NAMED),
        (b"Transfer-Encoding: chunked\r\n\r\n", _chunks(NAMED)),
    ):
        assert edge(POST + upgrade + framing + body).json() == {"body": {"name": "a"}}
        wire = edge.wire().send(POST + upgrade + framing)
        assert wire.send(body).answer().json() == {"body": {"name": "a"}}


def test_a_websocket_scope_reaches_nothing(tmp_path: Path) -> None:
    from server.app import create_app
    from tests.server.conftest import CONTRACT, HANDLERS, settings_in

    app = create_app(settings_in(tmp_path), contract=CONTRACT, handlers=HANDLERS, with_pages=False)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "websocket", "path": "/tiny/health", "headers": []}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close"}]


def test_trailers_do_not_become_headers_of_the_request(edge: Edge) -> None:
    body = b"0\r\nX-Seen: forged\r\nAuthorization: Bearer forged\r\n\r\n"
    answer = edge(b"GET /tiny/echo?name=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert answer.status == 200, answer
    assert b"forged" not in answer.body


def test_a_header_whose_name_has_an_underscore_does_not_pass_for_another(edge: Edge) -> None:
    """Pages read headers by names in which a dash and an underscore are one."""
    answer = edge(b"GET /tiny/echo?name=a HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 192.0.2.9\r\nX-Kept: 1\r\n\r\n")
    assert answer.json()["x-kept"] == "1"
    assert b"192.0.2.9" not in answer.body


def test_a_broken_request_does_not_break_the_answer_to_the_one_before_it(edge: Edge) -> None:
    wire = edge.wire().send(GET + b"\r\n" + b"garbage\r\n\r\n")
    assert wire.answer().json() == {}
    assert wire.is_closed()


def test_who_sends_requests_without_reading_is_answered_so_many_and_no_more(edge: Edge) -> None:
    wire = edge.wire().send((GET + b"\r\n") * (server.protocol.PIPELINED + 50))
    for _ in range(server.protocol.PIPELINED + 1):
        assert wire.answer().status == 200
    assert wire.is_closed()
    assert wire.kept == b""


def test_a_body_that_nobody_waits_for_ends_the_connection(edge: Edge) -> None:
    """A client could keep its connection for ever with a byte now and then."""
    wire = edge.wire().send(GET + b"Content-Length: 1000000\r\n\r\n")
    assert wire.answer().status == 200
    assert wire.is_closed()


def test_a_body_that_is_refused_while_it_arrives_does_not_keep_its_sender_from_the_answer(edge: Edge) -> None:
    """A plain close with bytes unread makes the kernel throw the answer away."""
    wire = edge.wire().send(POST + b"Content-Length: 20000000\r\n\r\n" + b"x" * 20_000_000)
    answer = wire.answer()
    assert (answer.status, answer.json()["code"]) == (413, "request_entity_too_large")
    assert wire.is_closed()


@pytest.mark.parametrize(
    ("framing", "body", "status"),
    [
        (b"Content-Length: 0", b"", 422),
        (b"Content-Length: 12", NAMED, 200),
        (b"Content-Length: 012", NAMED, 200),
        (b"Content-Length: 1073741824", b"", 413),
        (b"Transfer-Encoding: chunked", b"c\r\n" + NAMED + b"\r\n0\r\n\r\n", 200),
        (b"Transfer-Encoding: chunked", b"0\r\n\r\n", 422),
        (b"Transfer-Encoding: chunked", (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 40, 413),
        (b"Expect: 100-continue\r\nContent-Length: 1073741824", b"", 413),
    ],
)
def test_a_body_is_taken_or_refused_by_its_length(edge: Edge, framing: bytes, body: bytes, status: int) -> None:
    answer = edge(POST + framing + b"\r\n\r\n" + body)
    assert answer.status == status, answer
    assert status == 200 or answer.json()["status"] == status


def test_a_body_that_is_longer_than_stated_is_cut_at_its_length(edge: Edge) -> None:
    wire = edge.wire().send(POST + b"Content-Length: 12\r\n\r\n" + NAMED + b"surplus\r\n\r\n")
    assert wire.answer().json() == {"body": {"name": "a"}}
    assert wire.is_closed()


def test_a_body_that_ends_before_its_stated_length_reaches_no_handler(tmp_path: Path) -> None:
    reached: list[Any] = []

    async def handler(body: Any) -> Any:
        reached.append(body)
        return {"body": body}

    with served(tmp_path, handlers={"echoBody": handler}) as edge:
        wire = edge.wire().send(POST + b"Content-Length: 13\r\n\r\n" + NAMED)
        until(lambda: len(edge.connections) == 1, "the connection")
        wire.socket.close()
        until(lambda: not len(edge.connections), "its end")
    assert reached == []


def test_a_body_that_does_not_come_to_its_end_is_told_so(tmp_path: Path) -> None:
    with served(tmp_path, body_timeout_seconds=0.05) as edge:
        for framing in (
            b"Content-Length: 12",
            b"Transfer-Encoding: chunked",
            b"Expect: 100-continue\r\nContent-Length: 12",
        ):
            wire = edge.wire().send(POST + framing + b"\r\n\r\n")
            if framing.startswith(b"Expect"):
                assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            answer = wire.answer()
            assert (answer.status, answer.headers["connection"]) == (400, "close")
            assert wire.is_closed()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS /tiny/health", 204),
        (b"OPTIONS *", 404),
        (b"GET /tiny/health/", 404),
        (b"GET //tiny/health", 404),
        (b"GET /tiny//health", 404),
        (b"GET /tiny/../tiny/health", 404),
        (b"GET /tiny/%68ealth", 404),
        (b"GET /tiny/health%00", 404),
        (b"GET /%ff%fe", 404),
        (b"GET /tiny/health?", 200),
        (b"GET /tiny/health?x=1", 422),
        (b"GET /tiny/health?&&", 200),
        (b"GET /tiny/echo?name=a&name=b", 422),
        (b"GET /tiny/echo?name=%ff", 400),
        (b"GET /tiny/health#part", 200),
        (b"DELETE /tiny/health", 405),
        (b"BREW /tiny/health", 400),
        (b"PROPFIND /tiny/health", 405),
    ],
)
def test_a_request_line_of_any_kind_is_answered_as_documented(edge: Edge, line: bytes, status: int) -> None:
    answer = edge(line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == status, answer
    assert answer.headers["x-request-id"]
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "name", ["X-Request-Id", "X-Forwarded-For", "Last-Event-ID", "Idempotency-Key", "Authorization"]
)
def test_a_header_of_64_kb_is_refused_and_not_repeated(edge: Edge, name: str) -> None:
    body = refused(edge, GET + name.encode() + b": " + b"a" * 65536 + b"\r\n\r\n", 431)
    assert len(body["request_id"]) < 129


# Clocks: as short as they go where something has to end, off where something has to stay.


def test_a_head_that_does_not_come_to_its_end_is_told_so(tmp_path: Path) -> None:
    with served(tmp_path, head_timeout_seconds=0.01) as edge:
        assert refused(edge, b"GET /tiny/hea", 408)["code"] == "request_timeout"
        assert refused(edge, GET + b"A: b\r\n", 408)
        assert refused(edge, b"\r\n", 408)
        wire = edge.wire().send(GET + b"\r\n" + GET)
        assert (wire.answer().status, wire.answer().status) == (200, 408)


def test_a_head_that_drips_gets_no_more_time_for_it(tmp_path: Path) -> None:
    protocol, wire = alone(Bounds(head_seconds=10))
    for byte in b"GET / HTTP/1.1\r\n":
        protocol.data_received(bytes([byte]))
    assert wire.running == wire.clocks[:1]
    wire.clocks[0].run_out()
    assert wire.written.startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_says_nothing_is_closed_without_a_word(tmp_path: Path) -> None:
    with served(tmp_path, head_timeout_seconds=0.01) as edge:
        wire = edge.wire()
        assert wire.socket.recv(1) == b""


def test_a_connection_that_idles_between_requests_is_closed(tmp_path: Path) -> None:
    with served(tmp_path, keep_alive_seconds=0.01) as edge:
        wire = edge.wire().send(GET + b"\r\n")
        assert wire.answer().status == 200
        assert wire.is_closed()


def test_who_takes_nothing_of_an_answer_is_cut_off(tmp_path: Path) -> None:
    gone = threading.Event()

    async def endless() -> StreamingResponse:
        async def pieces() -> Any:
            try:
                while True:
                    yield b"x" * 50_000
                    await asyncio.sleep(0)
            finally:
                gone.set()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    with served(tmp_path, handlers={"streamIt": endless}, send_timeout_seconds=0.3) as edge:
        wire = edge.wire(receive_buffer=4096).send(b"GET /tiny/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert gone.wait(HANG)
        assert wire.is_closed()


def test_who_takes_nothing_of_an_answer_that_is_already_written_is_cut_off(tmp_path: Path) -> None:
    large = "x" * 20_000_000

    async def whole(**_: Any) -> dict[str, Any]:
        return {"text": large}

    with served(tmp_path, handlers={"getHealth": whole}, send_timeout_seconds=0.3) as edge:
        wire = edge.wire(receive_buffer=4096).send(GET + b"Connection: close\r\n\r\n")
        assert wire.socket.recv(1) == b"H"
        until(lambda: not len(edge.connections), "the end of the connection")
        assert wire.is_closed()


def test_who_reads_slowly_but_reads_keeps_the_connection() -> None:
    protocol, wire = alone(Bounds(send_seconds=60))
    wire.unsent = 1_000_000
    protocol.pause_writing()
    for _ in range(5):
        wire.unsent -= LEAST_READ
        wire.running[0].run_out()
        assert not wire.ended
    wire.unsent -= 100
    wire.running[0].run_out()
    assert wire.ended


# Connections.


def test_one_address_has_so_many_connections(tmp_path: Path) -> None:
    with served(tmp_path, count_loopback=True, max_connections_per_address=2) as edge:
        first = edge.wire().send(GET + b"\r\n")
        second = edge.wire().send(GET + b"\r\n")
        assert (first.answer().status, second.answer().status) == (200, 200)
        told = refused(edge, GET + b"\r\n", 503)
        assert told["code"] == "service_unavailable"
        first.socket.close()
        until(lambda: len(edge.connections) == 1, "the end of a connection")
        assert edge(GET + b"\r\n").status == 200


def test_where_all_places_are_taken_who_waits_longest_makes_room(tmp_path: Path) -> None:
    with served(tmp_path, max_connections=2) as edge:
        silent = edge.wire()
        later = edge.wire().send(GET + b"\r\n")
        assert later.answer().status == 200
        assert edge(GET + b"\r\n").status == 200
        assert silent.is_closed()


def test_a_connection_at_work_makes_room_at_once() -> None:
    """A body, or an answer that nobody reads, would keep it for as long as its time allows."""
    protocol, wire = alone(Bounds())
    protocol.cycle = SimpleNamespace(response_complete=False)  # type: ignore[assignment]
    protocol.make_room()
    assert wire.ended
    # What it has not taken is not offered any more.
    assert wire.pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 0)


def test_where_all_places_are_at_work_one_more_is_told_so(tmp_path: Path) -> None:
    async def quiet() -> StreamingResponse:
        async def pieces() -> Any:
            yield b": begun\n\n"
            await asyncio.Event().wait()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    with served(tmp_path, handlers={"streamIt": quiet}, max_connections=2, shutdown_seconds=0) as edge:
        streams = [edge.wire().send(b"GET /tiny/stream HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2)]
        for stream in streams:
            stream.until(b": begun")
        wire = edge.wire()  # says nothing yet: it is told all the same
        answer = wire.answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        transport_fair(answer.status, answer.headers, answer.body)
        assert wire.is_closed()
        for stream in streams:
            stream.socket.close()


# The end of the server.


def test_what_is_asked_on_an_open_connection_while_the_server_stops_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.protocol, "DRAIN", HANG)
    with served(tmp_path) as edge:
        new, used = edge.wire(), edge.wire()
        assert used.send(GET + b"\r\n").answer().status == 200
        until(lambda: len(edge.connections) == 2, "two connections")
        edge.stop()
        until(lambda: edge.connections.stopping, "the stop")
        for wire in (new, used):
            answer = wire.send(GET + b"\r\n").answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert wire.is_closed()


def test_a_connection_that_nobody_has_taken_when_the_server_stops_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the listener cuts off what waits at it."""
    waiting: list[Wire] = []
    with served(tmp_path) as edge:

        async def last(_counter: int) -> bool:
            # On the server's own thread, which goes on to stop: it can take nobody between.
            waiting.extend(edge.wire().send(GET + b"\r\n") for _ in range(5))
            return True

        monkeypatch.setattr(edge.server, "on_tick", last)
        until(lambda: edge.connections.stopping, "the stop")
        for wire in waiting:
            answer = wire.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_bytes_that_arrived_but_were_not_read_keep_an_idle_connection_open() -> None:
    protocol, wire = alone(Bounds(idle_seconds=5))
    wire.pair[1].send(b"GET")
    protocol.timeout_keep_alive_handler()
    assert not wire.ended
    wire.pair[0].recv(3)
    protocol.timeout_keep_alive_handler()
    assert wire.ended


def test_connections_without_a_request_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with served(tmp_path, head_timeout_seconds=0, keep_alive_seconds=0, shutdown_seconds=600) as edge:
        silent, half, idle = edge.wire(), edge.wire().send(b"GET /"), edge.wire().send(GET + b"\r\n")
        assert idle.answer().status == 200
        edge.stop()
        assert (silent.is_closed(), half.is_closed(), idle.is_closed()) == (True, True, True)


def test_the_transport_has_the_codes_that_are_met_here() -> None:
    codes = {400: "bad_request", 408: "request_timeout", 414: "uri_too_long", 431: "request_header_fields_too_large"}
    codes[503] = "service_unavailable"
    assert contract.transport_codes(contract.load()) == {status: {code} for status, code in codes.items()}


def _chunks(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
