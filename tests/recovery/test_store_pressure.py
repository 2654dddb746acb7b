"""A database under pressure: no connection left, a lock that somebody keeps. Runs outlast it, requests are told."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg2  # type: ignore[import-untyped]
import pytest

from tests.engine.graphs import chat_document
from tests.recovery.conftest import MakeSite
from tests.recovery.kills import Reader
from tests.recovery.site import Server, Site, database
from tests.recovery.stories import check_whole, text_of
from tests.services.conftest import POSTGRES

pytestmark = pytest.mark.timeout(300)

UNLIMITED = {"DIFYSPEC_MAX_RUNS_PER_APP": "0", "DIFYSPEC_MAX_RUNS_PER_SUBJECT": "0"}


@contextmanager
def locked(url: str) -> Iterator[None]:
    """SQLite: another process is writing. PostgreSQL: another one has the table of sessions to itself."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def few_connections(folder: Path, most: int) -> Iterator[str]:
    """The URL of a database whose owner may have so many connections at a time."""
    role = f"difyspec_few_{os.getpid()}"
    with database("postgresql", folder) as url, closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT {most}")
            cursor.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} OWNER TO {role}")
            try:
                host = urlsplit(url).netloc.rpartition("@")[2]
                yield urlunsplit(urlsplit(url)._replace(netloc=f"{role}:few@{host}"))
            finally:
                cursor.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")


@contextmanager
def at_once(count: int, call: Callable[[], httpx.Response]) -> Iterator[list[Future[httpx.Response]]]:
    """Requests that are sent side by side."""
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(call) for _ in range(count)]


def begin(site: Site, server: Server, app_id: str) -> Callable[[], httpx.Response]:
    def post() -> httpx.Response:
        body = {"inputs": {}, "query": "go"}
        return httpx.post(f"{server.api}/apps/{app_id}/run", json=body, headers=site.ada.headers)

    return post


def list_apps(site: Site, server: Server) -> httpx.Response:
    query = {"workspace_id": site.ada.workspace_id}
    return httpx.get(f"{server.api}/apps", params=query, headers=site.ada.headers)


def list_sessions(site: Site, server: Server) -> httpx.Response:
    return httpx.get(f"{server.api}/account/sessions", headers=site.ada.headers)


def test_more_runs_than_connections_all_succeed(tmp_path: Path) -> None:
    with few_connections(tmp_path, 4) as url, contextlib.closing(Site(tmp_path, url, **UNLIMITED)) as site:
        app_id, server = site.add(chat_document(delay_ms=20, chunks=20)), site.server()
        server.start()
        with at_once(40, begin(site, server, app_id)) as answers:
            told = [answer.result() for answer in answers]
        assert {answer.status_code for answer in told} == {200}
        assert all('"status":"succeeded"' in answer.text for answer in told)


def test_a_server_takes_no_more_connections_than_stated(tmp_path: Path) -> None:
    settings = {**UNLIMITED, "DIFYSPEC_DATABASE_CONNECTIONS": "4"}
    with database("postgresql", tmp_path) as url, contextlib.closing(Site(tmp_path, url, **settings)) as site:
        app_id, server = site.add(chat_document(delay_ms=20, chunks=20)), site.server()
        server.start()
        with closing(psycopg2.connect(POSTGRES)) as other, other.cursor() as cursor:
            other.autocommit = True
            seen = set()
            with at_once(40, begin(site, server, app_id)) as answers:
                while not all(answer.done() for answer in answers):
                    name = urlsplit(url).path[1:]
                    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", (name,))
                    seen.add(cursor.fetchone()[0])
            assert {answer.result().status_code for answer in answers} == {200}
            assert max(seen) <= 4


def test_readers_read_while_writers_wait_for_another_process(tmp_path: Path) -> None:
    with (
        database("sqlite", tmp_path) as url,
        contextlib.closing(Site(tmp_path, url, DIFYSPEC_DATABASE_WAIT_SECONDS="120", **UNLIMITED)) as site,
    ):
        app_id, server = site.add(chat_document()), site.server()
        server.start()
        assert list_apps(site, server).status_code == 200
        with contextlib.ExitStack() as stack:
            with locked(url):
                answers = stack.enter_context(at_once(60, begin(site, server, app_id)))
                for _ in range(20):
                    assert list_apps(site, server).status_code == 200
                assert any(not answer.done() for answer in answers)
            told = [answer.result() for answer in answers]
        refused = [answer for answer in told if answer.status_code != 200]
        assert {(answer.status_code, answer.headers["Retry-After"]) for answer in refused} <= {(503, "5")}
        assert len(told) > len(refused)


def test_whoever_meets_a_lock_is_told_to_come_again_and_runs_go_on(site: MakeSite) -> None:
    made = site(DIFYSPEC_DATABASE_WAIT_SECONDS="0.5", **UNLIMITED)
    app_id, server = made.add(chat_document(delay_ms=20, chunks=50)), made.server()
    server.start()
    reader = Reader(made, server, app_id, {"inputs": {}, "query": "go"})
    reader.wait_for(4)
    with locked(made.url):
        postgres = made.url.startswith("postgres")
        refused = list_sessions(made, server) if postgres else begin(made, server, app_id)()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert refused.json()["code"] == "service_unavailable"
        if postgres:
            reader.join()  # it needs nothing of what is locked
    events = reader.join()
    check_whole(events)
    assert events[-1].data["data"]["status"] == "succeeded"
    assert text_of(events) == "".join(f"w{n} " for n in range(50))
    assert begin(made, server, app_id)().status_code == 200


def test_a_deleted_file_is_told_as_away(tmp_path: Path) -> None:
    with (
        database("sqlite", tmp_path) as url,
        contextlib.closing(Site(tmp_path, url, DIFYSPEC_DATABASE_WAIT_SECONDS="0.5")) as site,
    ):
        server = site.server()
        server.start()
        assert list_apps(site, server).status_code == 200
        file = Path(url.removeprefix("sqlite:///"))
        file.rename(tmp_path / "moved.db")
        answer = list_apps(site, server)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        (tmp_path / "moved.db").rename(file)
        assert list_apps(site, server).status_code == 200
