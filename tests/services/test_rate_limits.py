"""Rate limits in a real Redis: shared by server processes, without secrets, and what holds while it is away."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import redis

import store
import store.accounts
import store.sessions
from bench.measure import free_port
from tests.judge import fair
from tests.services.conftest import Serve, Server, missing
from tests.waiting import HANG, until

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A token in the database that the servers share."""
    store.open(f"sqlite:///{tmp_path / 'shared.db'}")
    account = store.accounts.create(EMAIL, "Ada", PASSWORD)
    made, _ = store.sessions.mint(
        account_id=account.id, email=EMAIL, issuer=None, client_id="difyspec", device_label="t", ttl=timedelta(days=1)
    )
    store.close()
    return made


def account(server: Server, token: str) -> httpx.Response:
    return fair(httpx.get(server.api + "/account", headers={"Authorization": f"Bearer {token}"}))


def code(server: Server) -> httpx.Response:
    body = {"client_id": "difyctl", "device_label": "services"}
    return fair(httpx.post(server.api + "/oauth/device/code", json=body))


def lookup(server: Server, user_code: str = "BCDF-GHJK") -> httpx.Response:
    query = {"user_code": user_code}
    return fair(httpx.get(server.api + "/oauth/device/lookup", params=query))


def test_two_servers_share_the_minute_of_a_token(redis_url: str, serve: Serve, token: str) -> None:
    first, second = (serve(REDIS_URL=redis_url, DIFYSPEC_RATE_LIMIT_PER_TOKEN="5") for _ in range(2))
    seen = [account(server, token) for server in (first, second, first, second, first, second)]
    assert [answer.status_code for answer in seen] == [200] * 5 + [429]
    assert [answer.headers["ratelimit-remaining"] for answer in seen] == ["4", "3", "2", "1", "0", "0"]
    assert 1 <= int(seen[-1].headers["retry-after"]) <= 60


def test_every_answer_of_a_limited_operation_tells_what_is_left(redis_url: str, serve: Serve, token: str) -> None:
    """Errors as well; each is judged by the contract (``fair``)."""
    server = serve(REDIS_URL=redis_url)
    mine = {"Authorization": f"Bearer {token}"}
    nowhere = "/workspaces/01978f3c-5d2e-7c10-9a44-6a1f0b2c3d06"
    for path, status in (("/account", 200), ("/account/sessions?page=0", 422), (nowhere, 404)):
        answer = fair(httpx.get(server.api + path, headers=mine))
        assert (answer.status_code, "ratelimit-remaining" in answer.headers) == (status, True)
    dead = fair(httpx.get(server.api + "/account", headers={"Authorization": "Bearer dfoa_dead"}))
    assert (dead.status_code, "ratelimit-remaining" in dead.headers) == (401, True)


def test_two_servers_share_the_guesses_of_a_password(redis_url: str, serve: Serve, token: str) -> None:
    servers = [serve(REDIS_URL=redis_url) for _ in range(2)]
    outcomes = []
    for number in range(12):
        base = servers[number % 2].base
        form = {"email": EMAIL, "password": "wrong"}
        outcomes.append(httpx.post(f"{base}/signin", data=form, headers={"Origin": base}).status_code)
    assert outcomes[:10].count(429) == 0
    assert outcomes[10:] == [429, 429], outcomes


def test_no_secret_is_in_the_keys(redis_url: str, serve: Serve, token: str) -> None:
    client = redis.Redis.from_url(redis_url)
    before = set(client.scan_iter())
    server = serve(REDIS_URL=redis_url)
    started = code(server).json()
    account(server, token)
    lookup(server, started["user_code"])
    poll = {"client_id": "difyctl", "device_code": started["device_code"]}
    fair(httpx.post(server.api + "/oauth/device/token", json=poll))
    form = {"email": "a password typed in the wrong field", "password": PASSWORD}
    httpx.post(f"{server.base}/signin", data=form, headers={"Origin": server.base})
    keys = [key.decode() for key in set(client.scan_iter()) - before]
    assert len(keys) >= 5
    assert all(key.startswith("difyspec:") for key in keys)
    secrets = [token, token[5:], started["device_code"], started["user_code"], "a password typed", PASSWORD]
    assert [secret for secret in secrets if any(secret in key for key in keys)] == []
    values = [client.dump(key) or b"" for key in keys]
    assert not any(secret.encode() in value for secret in secrets for value in values)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis process of our own, to be stopped."""
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server", FileNotFoundError("not installed"))
    port = free_port()
    process = _start(port, tmp_path)
    yield f"redis://127.0.0.1:{port}/0", process
    process.kill()
    process.wait(HANG)


def _start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)

    def answers() -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False

    until(answers, "an answer of Redis", process)
    return process


def test_while_redis_is_away_work_goes_on_but_guesses_are_refused(
    own_redis: tuple[str, subprocess.Popen[bytes]], serve: Serve, token: str, tmp_path: Path
) -> None:
    url, process = own_redis
    server = serve(REDIS_URL=url, DIFYSPEC_RATE_LIMIT_PER_TOKEN="3")
    assert account(server, token).status_code == 200
    assert lookup(server).status_code == 200
    process.kill()
    process.wait(HANG)
    # The process counts by itself, from nothing; a token still has an end of its minute.
    assert [account(server, token).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert code(server).status_code == 200
    refused = lookup(server)
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    form = {"email": EMAIL, "password": PASSWORD}
    page = httpx.post(f"{server.base}/signin", data=form, headers={"Origin": server.base})
    assert page.status_code == 503
    assert "redis" not in page.text.lower()
    again = _start(int(url.rsplit(":", 1)[1].partition("/")[0]), tmp_path)
    try:
        until(lambda: lookup(server).status_code == 200, "a look-up that Redis counts again")
        assert httpx.post(f"{server.base}/signin", data=form, headers={"Origin": server.base}).status_code in (200, 303)
    finally:
        again.kill()
        again.wait(HANG)
    told = server.log.read_text()
    assert "Traceback" not in told
    assert token not in told


def test_a_redis_that_hangs_is_not_waited_for_by_each_request(serve: Serve, token: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tries: list[object] = []
        threading.Thread(target=_accept, args=(silent, tries), daemon=True).start()
        server = serve(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        before = len(tries)
        assert [account(server, token).status_code for _ in range(20)] == [200] * 20
        assert len(tries) - before < 20, "not each request waits for it"
        assert lookup(server).status_code == 503


def _accept(listening: socket.socket, held: list[object]) -> None:
    try:
        while True:
            held.append(listening.accept())
    except OSError:
        return
