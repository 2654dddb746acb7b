"""Files in the store: whose they are, until when, and their bytes in a folder and in a bucket alike."""

from __future__ import annotations

import io
import os
import socket
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store import apps, file_bytes, files
from store.file_bytes import BucketBytes, FileBytes, FolderBytes, open_bytes
from store.files import StoredFile
from tests.doubles import FakeClock
from tests.s3 import bucket as bucket
from tests.store.racing import race
from tests.world import World

HOUR = timedelta(hours=1)


def make(world: World, number: int = 1, kept_for: timedelta | None = HOUR) -> StoredFile:
    return files.create(
        f"01900000-0000-7000-8000-{number:012d}", world.app, world.owner_caller,
        origin="upload", name="a.txt", extension="txt", mime_type="text/plain", size=1, kept_for=kept_for,
    )  # fmt: skip


def test_a_file_is_visible_to_its_owner_under_its_app_until_its_time_is_over(world: World, clock: FakeClock) -> None:
    made = make(world)
    assert files.visible(world.owner_caller, world.app.id, made.id.upper()) == made
    assert files.visible(world.owner_caller, world.chat.id, made.id) is None
    assert files.visible(world.other_caller, world.app.id, made.id) is None
    assert files.visible(world.external_caller, world.app.id, made.id) is None
    assert files.visible(world.owner_caller, world.app.id, "x") is None
    clock.advance(3599)
    assert files.visible(world.owner_caller, world.app.id, made.id) == made
    clock.advance(1)
    assert files.visible(world.owner_caller, world.app.id, made.id) is None


def test_a_file_that_a_run_uses_outlives_its_time(world: World, clock: FakeClock) -> None:
    used, unused, kept_a_while = (make(world, number) for number in (1, 2, 3))
    assert files.keep(world.owner_caller, world.app.id, [used.id])
    assert files.keep(world.owner_caller, world.app.id, [kept_a_while.id], 2 * HOUR)
    clock.advance(3600)
    assert files.expired() == [unused.id]
    assert not files.remove_expired(used.id)
    assert files.remove_expired(unused.id)
    assert files.known([unused.id]) == set()
    clock.advance(3600)
    assert files.expired() == [kept_a_while.id]


def test_the_files_of_a_deleted_app_go_when_its_last_run_has_ended(world: World, clock: FakeClock) -> None:
    made, other = make(world, 1, None), make(world, 2, None)
    apps.delete(world.app.id)
    clock.advance(24 * 3600 - 1)
    assert files.expired() == []
    assert not files.remove_expired(made.id)
    clock.advance(1)
    assert sorted(files.expired()) == [made.id, other.id]
    assert files.remove_expired(made.id)


def test_files_are_kept_all_or_none_and_only_for_their_owner(world: World, clock: FakeClock) -> None:
    one, two = make(world, 1), make(world, 2)
    assert not files.keep(world.other_caller, world.app.id, [one.id])
    assert not files.keep(world.owner_caller, world.app.id, [one.id, "01900000-0000-7000-8000-000000000009"])
    clock.advance(3600)
    assert files.expired() == [one.id, two.id]
    assert not files.keep(world.owner_caller, world.app.id, [one.id])


def test_of_use_and_sweep_at_the_same_time_one_wins(world: World, clock: FakeClock) -> None:
    for number in range(10):
        made = make(world, number + 1, timedelta(microseconds=number % 2))
        outcomes = race(
            lambda made=made: files.keep(world.owner_caller, world.app.id, [made.id]),  # type: ignore[misc]
            lambda made=made: files.remove_expired(made.id),  # type: ignore[misc]
        )
        assert sorted(outcomes) == [False, True]
        assert (made.id in files.known([made.id])) is outcomes[0]


# Bytes


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> FileBytes:
    """The two kinds, which keep the same promises."""
    if request.param == "folder":
        return open_bytes("", tmp_path / "files")
    return open_bytes(request.getfixturevalue("bucket"), tmp_path)


def test_bytes_come_back_as_they_went_in(storage: FileBytes) -> None:
    big = os.urandom(12 * 1024 * 1024)
    for key, content in (("a1", b"x"), ("b2", b""), ("c3", big)):
        storage.put(key, io.BytesIO(content))
        pieces = list(storage.pieces(key))
        assert b"".join(pieces) == content
    assert max(map(len, pieces)) < 11 * 1024 * 1024
    assert {"a1", "b2", "c3"} <= {key for key, _ in storage.written()}
    storage.put("a1", io.BytesIO(b"y"))
    assert b"".join(storage.pieces("a1")) == b"y"
    for key in ("a1", "b2", "c3", "a1"):
        storage.delete(key)
    assert not {"a1", "b2", "c3"} & {key for key, _ in storage.written()}
    with pytest.raises(FileNotFoundError):
        storage.pieces("a1")


def test_what_is_put_starts_where_the_source_stands(storage: FileBytes) -> None:
    source = io.BytesIO(b"head and body")
    source.seek(9)
    storage.put("d4", source)
    assert b"".join(storage.pieces("d4")) == b"body"
    storage.delete("d4")


class _Breaks(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 4:
            raise OSError(28, "No space left on device")
        return super().read(4)


def test_a_file_that_breaks_off_leaves_nothing(storage: FileBytes) -> None:
    with pytest.raises(OSError, match="space"):
        storage.put("e5", _Breaks(b"12345678"))
    assert "e5" not in {key for key, _ in storage.written()}
    if isinstance(storage, FolderBytes):
        assert [path for path in storage.folder.rglob("*") if path.is_file()] == []


def test_many_write_and_read_at_once(storage: FileBytes) -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        content = bytes([number]) * 100_000
        storage.put(f"f{number:02}", io.BytesIO(content))
        if b"".join(storage.pieces(f"f{number:02}")) != content:
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    for number in range(20):
        storage.delete(f"f{number:02}")


@pytest.mark.parametrize("place", ["ftp://x/y", "s3://", "bucket"])
def test_a_place_that_is_none_is_named(place: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        open_bytes(place, tmp_path)


def test_without_the_extra_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(RuntimeError, match="--extra s3"):
        BucketBytes("s3://files")


def test_a_service_that_is_away_is_an_error_of_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="needs the S3 library: uv sync --group s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = BucketBytes("s3://files", retry_config={"max_retries": 0})
    for call in (lambda: away.put("a", io.BytesIO(b"x")), lambda: away.pieces("a")):
        with pytest.raises(OSError, match="the file storage failed"):
            call()


def test_a_service_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="needs the S3 library: uv sync --group s3")
    monkeypatch.setattr(file_bytes, "SILENCE_SECONDS", 0.02)
    monkeypatch.setattr(file_bytes, "RETRY_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        bucket = BucketBytes("s3://files")
        for call in (
            lambda: bucket.put("a", io.BytesIO(b"x")),
            lambda: bucket.pieces("a"),
            lambda: bucket.delete("a"),
        ):
            with pytest.raises(OSError, match="the file storage failed"):
                call()


def test_files_in_a_folder_are_for_the_server_alone(tmp_path: Path) -> None:
    storage = open_bytes("", tmp_path / "files")
    storage.put("a1", io.BytesIO(b"x"))
    (stored,) = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert stored.stat().st_mode & 0o077 == 0
