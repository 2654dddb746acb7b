"""What only a real socket shows: framing of bodies, streams, and how the server stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.waiting import HANG, until

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A running server process."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/tiny"
        command = [sys.executable, "-m", "tests.server.serve_tiny", str(folder), str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        until(self._answers, "an answer of the server", self.process)

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health").is_success
        return False

    def raw(self, request: bytes) -> tuple[int, dict[str, object]]:
        """Send bytes, read one response: its status and JSON body."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANG) as connection:
            connection.sendall(request)
            data = b""
            while b"\r\n\r\n" not in data or not data.endswith(b"}"):
                chunk = connection.recv(65536)
                if not chunk:
                    break
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the module; the last test stops it itself."""
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.communicate()


HEAD = b"POST /tiny/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_chunked_body_is_read(server: Server) -> None:
    body = b'7\r\n{"name"\r\n5\r\n:"a"}\r\n0\r\n\r\n'
    status, answer = server.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
    assert (status, answer) == (200, {"body": {"name": "a"}})


def test_a_gigabyte_that_is_only_declared_is_refused_at_once(server: Server) -> None:
    # Not a byte of it is ever sent: whoever waited for it would answer that it came too late.
    status, answer = server.raw(HEAD + b"Content-Length: 1073741824\r\n\r\n")
    assert (status, answer["code"]) == (413, "request_entity_too_large")


def test_the_limit_is_exact(server: Server) -> None:
    limit = 1024 * 1024
    for size, status in ((limit, 200), (limit + 1, 413)):
        body = b'{"name":"a","any":"' + b"x" * (size - 21) + b'"}'
        assert len(body) == size
        answer = httpx.post(f"{server.url}/echo", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status


def test_expect_continue_is_served(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=HANG) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(b'{"name":"a"}')
        assert b"200 OK" in connection.recv(1000)


def test_one_connection_serves_many_requests(server: Server) -> None:
    with httpx.Client() as client:
        for _ in range(3):
            assert client.head(f"{server.url}/health").status_code == 200
            assert client.post(f"{server.url}/echo", json={"name": "a"}).status_code == 200
            assert client.delete(f"{server.url}/echo").status_code == 405


def test_many_open_streams_do_not_hold_up_others(server: Server) -> None:
    with httpx.Client(limits=httpx.Limits(max_connections=100)) as client:
        streams = [client.send(client.build_request("GET", f"{server.url}/stream"), stream=True) for _ in range(50)]
        # They end only with the server: who stood behind one of them would wait for ever.
        assert client.get(f"{server.url}/things/3a1c5f7e-1111-4222-8333-444455556666").status_code == 200
        for stream in streams:
            stream.close()


def test_told_to_stop_the_server_ends_its_streams_with_their_last_event(server: Server) -> None:
    with httpx.stream("GET", f"{server.url}/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "data: first"
        server.process.send_signal(signal.SIGTERM)
        assert [line for line in lines if line] == ["data: last"]
    _, log = server.process.communicate(timeout=HANG)
    assert "0 unclaimed" in log
    assert "Traceback" not in log
    assert server.process.returncode == 0
