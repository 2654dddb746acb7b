"""Files over HTTP: what is taken, what is refused and how, whose they are, and where their links lead."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from starlette.types import Message

from server.app import App, create_app, create_stock_app
from server.body_gate import BodyGate
from server.body_spool import Spool
from server.lifespan import resources
from server.settings import Settings
from server.threads import Threads
from store import session_list
from store.refusal import REFUSED
from tests.server.conftest import ORIGIN, settings_in
from tests.world import World, build, caller_of, mint_for

API = "/openapi/v1"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


@dataclass
class Ground:
    """A server in process with the world of ``tests.world`` in its store."""

    app: App
    world: World
    settings: Settings

    def __call__(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                headers = {"Authorization": f"Bearer {token or self.world.owner_token}", **options.pop("headers", {})}
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(call())

    def upload(self, name: Any, content: bytes, kind: str | None = "text/plain", **more: Any) -> httpx.Response:
        """Send one file to the world's app, as httpx encodes it."""
        app_id = more.pop("app_id", self.world.app.id)
        file = (name, content, kind) if kind else (name, content)
        return self("POST", f"{API}/apps/{app_id}/files/upload", files={"file": file}, **more)

    def raw(self, body: bytes | AsyncIterator[bytes], boundary: str = "b", **headers: str) -> httpx.Response:
        """Send a body of our own making."""
        kind = f"multipart/form-data; boundary={boundary}"
        path = f"{API}/apps/{self.world.app.id}/files/upload"
        return self("POST", path, content=body, headers={"Content-Type": kind, **headers})

    def stored(self) -> list[Path]:
        """Every file with bytes in the storage folder."""
        return [path for path in self.settings.file_folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ground]]:
    """Both factories over one store; to compile a contract for each test would take a minute."""
    settings = settings_in(
        tmp_path_factory.mktemp("uploads"),
        upload_file_size_limit=1,
        upload_image_file_size_limit=2,
        upload_video_file_size_limit=3,
        upload_audio_file_size_limit=1,
        upload_file_extension_blacklist="exe",
        rate_limits=False,
    )
    with resources(settings):
        world = build()
        factories = {"compiled": create_app, "stock": create_stock_app}
        yield {name: Ground(make(settings, with_pages=False), world, settings) for name, make in factories.items()}


@pytest.fixture(params=["compiled", "stock"])
def ground(request: pytest.FixtureRequest, grounds: dict[str, Ground]) -> Iterator[Ground]:
    yield grounds[request.param]
    _wipe(grounds[request.param])


@pytest.fixture
def compiled(grounds: dict[str, Ground]) -> Iterator[Ground]:
    """The server proper. The stock frame reads a form whole, and answers what is wrong with it in its own
    words (422 where the contract has a better code), so the refusals of a body are promised here only.
    """
    yield grounds["compiled"]
    _wipe(grounds["compiled"])


def _wipe(ground: Ground) -> None:
    for path in ground.stored():
        path.unlink()


def part(name: str = "file", filename: str | None = "a.txt", content: bytes = b"x", *more: str) -> bytes:
    """One part of a multipart body, after its boundary."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    lines = [disposition, *(more or ("Content-Type: text/plain",))]
    return ("--b\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + content + b"\r\n"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_upload_is_stored_and_answered_with_its_record(ground: Ground) -> None:
    answer = ground.upload("Bees & Co.txt", b"Bees dance.", "text/plain; charset=utf-8")
    assert answer.status_code == 201
    record = answer.json()
    world = ground.world
    assert {key: record[key] for key in ("name", "size", "extension", "mime_type", "created_by", "tenant_id")} == {
        "name": "Bees & Co.txt",
        "size": 11,
        "extension": "txt",
        "mime_type": "text/plain",
        "created_by": world.owner.id,
        "tenant_id": world.home.id,
    }
    assert [path.read_bytes() for path in ground.stored()] == [b"Bees dance."]
    assert ground("GET", record["source_url"], token="none").content == b"Bees dance."


def test_a_download_is_an_attachment_that_no_browser_takes_for_a_page(ground: Ground) -> None:
    html = ground.upload("page.html", b"<script>alert(1)</script>", "text/html").json()
    answer = ground("GET", html["source_url"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename=\"page.html\"; filename*=UTF-8''page.html"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    image = ground.upload('ünï "x"; a=b.png', PNG, "text/html").json()
    shown = ground("GET", image["source_url"])
    assert shown.headers["content-type"] == "image/png"
    plain, exact = shown.headers["content-disposition"].removeprefix("attachment; ").split("; filename*=")
    assert plain == 'filename="_n_ _22x_22; a=b.png"'
    assert exact == "UTF-8''%C3%BCn%C3%AF%20%2522x%2522%3B%20a%3Db.png"
    assert ground("HEAD", image["source_url"]).headers["content-length"] == str(len(PNG))


def test_a_link_opens_one_file_for_a_while_and_no_other(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (ground.upload(f"{name}.txt", b"x").json() for name in ("one", "two"))
    url, sign = one["source_url"].split("?sign=")
    assert ground("GET", one["source_url"]).status_code == 200
    for wrong in (f"{API}/files/{two['id']}?sign={sign}", f"{url}?sign={sign[:-1]}", f"{url}?sign=", f"{url}?sign=a.b"):
        assert code(ground("GET", wrong)) == (404, "not_found")
    assert code(ground("GET", url)) == (422, "invalid_param")
    from engine.files import service as files

    monkeypatch.setattr(files.current().links, "_seconds", -1)
    assert code(ground("GET", one["source_url"])) == (404, "not_found")


def test_only_the_owner_finds_a_file_and_only_under_its_app(ground: Ground) -> None:
    world = ground.world
    record = ground.upload("a.txt", b"x", app_id=world.public_app.id, token=world.external_token).json()
    path = f"{API}/apps/{{}}/files/{record['id']}"
    mine = ground("GET", path.format(world.public_app.id), token=world.external_token)
    assert mine.json() == {**record, "source_url": mine.json()["source_url"]}
    assert code(ground("GET", path.format(world.public_app.id), token=world.other_token)) == (404, "not_found")
    assert code(ground("GET", path.format(world.app.id))) == (404, "not_found")
    nowhere = path.format(world.app.id).replace(record["id"], "not-a-uuid")
    assert code(ground("GET", nowhere)) == (404, "not_found")


def test_an_app_that_is_not_the_callers_takes_no_file(ground: Ground) -> None:
    assert code(ground.upload("a.txt", b"x", app_id=ground.world.foreign_app.id)) == (404, "not_found")
    assert code(ground.upload("a.txt", b"x", token="dfoa_wrong")) == (401, "invalid_token")
    assert ground.stored() == []


def test_a_limit_is_inclusive_and_follows_the_kind_of_file(ground: Ground) -> None:
    exact = 1024 * 1024
    assert ground.upload("a.txt", b"x" * exact).status_code == 201
    over = ground.upload("a.txt", b"x" * (exact + 1))
    assert code(over) == (413, "file_too_large")
    assert "1 MB" in over.json()["message"]
    assert ground.upload("a.png", PNG + b"\x00" * exact, "image/png").status_code == 201
    assert len(ground.stored()) == 2


def test_describe_tells_the_limits_that_are_enforced(ground: Ground) -> None:
    described = ground("GET", f"{API}/apps/{ground.world.app.id}/describe").json()
    assert described["parameters"]["system_parameters"] == {
        "image_file_size_limit": 2,
        "video_file_size_limit": 3,
        "audio_file_size_limit": 1,
        "file_size_limit": 1,
        "workflow_file_upload_limit": 10,
    }
    assert described["input_schema"]["properties"]["files"]["maxItems"] == 10


def test_an_empty_file_and_a_file_without_extension_are_taken(ground: Ground) -> None:
    assert ground.upload("empty.txt", b"").json()["size"] == 0
    bare = ground.upload("README", b"x", "application/x-thing").json()
    assert (bare["extension"], bare["mime_type"]) == ("", "application/x-thing")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\b.txt", "..", "\u202e"])
def test_a_name_that_is_a_path_or_holds_control_characters_is_refused(ground: Ground, name: str) -> None:
    assert code(ground.upload(name, b"x")) == (400, "bad_request")
    assert ground.stored() == []


@pytest.mark.parametrize("plain", ["", 'filename="%C3%BC%20n.txt"; '])
def test_a_name_beyond_ascii_comes_as_common_clients_write_it(compiled: Ground, plain: str) -> None:
    disposition = f"Content-Disposition: form-data; name=\"file\"; {plain}filename*=utf-8''%C3%BC%20n.txt\r\n"
    answer = compiled.raw(b"--b\r\n" + disposition.encode() + b"Content-Type: text/plain\r\n\r\nx\r\n--b--\r\n")
    assert answer.json()["name"] == "ü n.txt"


def test_a_long_name_keeps_its_extension_and_marks_of_direction_go(ground: Ground) -> None:
    long = ground.upload("n" * 400 + ".txt", b"x").json()["name"]
    assert (len(long), long[-5:]) == (200, "n.txt")
    assert ground.upload("gpj\u202e.txt", b"x").json()["name"] == "gpj.txt"


def test_content_that_is_not_what_the_name_promises_is_refused(ground: Ground) -> None:
    for name in ("a.png", "a.pdf", "a.docx", "a.jpg", "a.mp4"):
        assert code(ground.upload(name, b"<html>not really", "image/png")) == (415, "unsupported_file_type")
    assert code(ground.upload("a.exe", b"MZ")) == (400, "file_extension_blocked")
    assert ground.stored() == []


def test_a_body_that_is_not_one_file_is_refused_by_the_code_that_says_why(compiled: Ground) -> None:
    end = b"--b--\r\n"
    cases: dict[bytes, tuple[int, str]] = {
        end: (400, "no_file_uploaded"),
        part(filename=None) + end: (400, "no_file_uploaded"),
        part(filename="") + end: (400, "filename_not_exists"),
        part(name="other") + end: (400, "no_file_uploaded"),
        part("user", None) + part() + end: (400, "too_many_files"),
        part() + part() + end: (400, "too_many_files"),
        part() + part("user", None) + end: (400, "too_many_files"),
        part("file", "a.txt", b"x", "X-Nothing: 1") + end: (415, "unsupported_file_type"),
        part() : (400, "bad_request"),
        part()[:-4]: (400, "bad_request"),
        b"nothing of the kind": (400, "bad_request"),
        b"": (400, "no_file_uploaded"),
        b"--b\r\nContent-Disposition: form-data; name=file; filename=a\x00.txt\r\nContent-Type: a/b\r\n\r\nx\r\n" + end:
            (400, "bad_request"),
        b"--b\r\nContent-Disposition: form-data; name=file; filename=\xff.txt\r\nContent-Type: a/b\r\n\r\nx\r\n" + end:
            (400, "bad_request"),
        part("file", "a.txt", b"x", "X-Huge: " + "h" * 100_000) + end: (400, "bad_request"),
        part("file", "a.txt", b"x", *(f"X-{n}: 1" for n in range(100))) + end: (400, "bad_request"),
    }  # fmt: skip
    for body, expected in cases.items():
        assert code(compiled.raw(body)) == expected, body[:200]
    assert code(compiled.raw(end, boundary="b" * 71)) == (400, "bad_request")
    assert code(compiled.raw(end, boundary="")) == (400, "bad_request")
    path = f"{API}/apps/{compiled.world.app.id}/files/upload"
    assert code(compiled("POST", path, json={"file": "x"})) == (415, "unsupported_media_type")
    assert code(compiled("POST", path)) == (415, "unsupported_media_type")
    assert compiled.stored() == []


def test_an_endless_body_ends_at_the_limit_of_its_kind(compiled: Ground) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield part(content=b"")[:-2]
        while True:
            sent += 65536
            yield b"x" * 65536

    assert code(compiled.raw(endless())) == (413, "file_too_large")
    assert sent < 2 * 1024 * 1024
    declared = compiled.raw(part() + b"--b--\r\n", **{"Content-Length": str(10**12)})
    assert code(declared) == (413, "request_entity_too_large")
    assert compiled.stored() == []


def test_an_upload_whose_token_is_revoked_while_it_arrives_stores_nothing(compiled: Ground) -> None:
    path = f"{API}/apps/{compiled.world.app.id}/files/upload"

    async def interrupted(token: str, then: str) -> AsyncIterator[bytes]:
        yield part()[:-2]
        if then == "revoked":
            session_list.revoke(compiled.world.owner_caller, caller_of(token).session_id)
        yield part()[-2:] + b"--b--\r\n"

    for then, told, kept in (("revoked", 401, 0), ("kept", 201, 1)):
        token = mint_for(compiled.world.owner, "a device that uploads")
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = compiled("POST", path, token, content=interrupted(token, then), headers=headers)
        assert (answer.status_code, len(compiled.stored())) == (told, kept)


def test_no_body_is_longer_than_the_largest_file_whatever_it_holds(ground: Ground) -> None:
    """What stands before the first boundary, or after the last, is nobody's file and has no limit of its own."""
    for begin in (b"", part() + b"--b--\r\n"):
        sent = 0

        async def endless(begin: bytes = begin) -> AsyncIterator[bytes]:
            nonlocal sent
            yield begin
            while sent < 50 * 1024 * 1024:
                sent += 65536
                yield b"x" * 65536

        answer = ground.raw(endless())
        assert 400 <= answer.status_code < 500
        assert sent < 4 * 1024 * 1024
    assert ground.stored() == []


def test_a_slow_body_is_cut_off(compiled: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalls() -> AsyncIterator[bytes]:
        yield part()
        await asyncio.Event().wait()

    hasty = settings_in(compiled.settings.data_dir, body_timeout_seconds=0.2)
    ground = Ground(create_app(hasty, with_pages=False), compiled.world, compiled.settings)
    assert code(ground.raw(stalls())) == (400, "bad_request")


class Full(io.RawIOBase):
    """A file on a full disk."""

    def readable(self) -> bool:
        return True

    seekable = writable = readable

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


def full_file(*_: Any, **__: Any) -> io.BufferedRandom:
    """Buffered like a real file: what is small meets the disk only when it is read again, or closed."""
    return io.BufferedRandom(Full())


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_full_disk_is_told_as_such_and_leaves_nothing(
    compiled: Ground, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("server.multipart_reader.tempfile.TemporaryFile", full_file)
        assert code(compiled.upload("a.txt", b"x" * size)) == (503, "service_unavailable")
    with monkeypatch.context() as patched:
        patched.setattr("store.file_bytes.shutil.copyfileobj", lambda *_: Full().write(b""))
        assert code(compiled.upload("a.txt", b"x")) == (503, "service_unavailable")
    assert compiled.stored() == []
    assert compiled.upload("a.txt", b"x").status_code == 201


def test_a_page_that_brings_files_to_a_full_disk_is_told_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope[REFUSED])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x"}

    monkeypatch.setattr("server.body_spool.SpooledTemporaryFile", full_file)
    gate = BodyGate(app, 10, 5, spool=Spool(re.compile("/form/(.*)"), lambda token: 1000, 5, Threads(1)))
    headers = [(b"content-type", b"multipart/form-data")]
    scope = {"type": "http", "method": "POST", "path": "/form/x", "headers": headers}
    asyncio.run(gate(scope, receive, AsyncMock()))
    assert (seen[0].code, seen[0].status) == ("service_unavailable", 503)


def test_an_upload_never_lies_in_memory(compiled: Ground) -> None:
    import tracemalloc

    content = io.BytesIO(part(filename="a.png", content=PNG + b"\x00" * 2_000_000) + b"--b--\r\n").getvalue()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    assert compiled.raw(pieces()).status_code == 201
    tracemalloc.start()
    assert compiled.raw(pieces()).status_code == 201
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
