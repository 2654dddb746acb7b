"""The bytes of files, each under its id: in a folder, or in a bucket of an S3-compatible service.

Both kinds keep the same promises: a key is written whole or not at all, and what is read is streamed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

PIECE = 64 * 1024
# Of a service: to connect, to say something, to be asked again. A request's thread waits for it meanwhile.
CONNECT_SECONDS, SILENCE_SECONDS, RETRY_SECONDS = 5.0, 20.0, 20.0
WHOLE = timedelta(days=1)  # a download takes as long as its client does (there is a time limit for sending)


class FileBytes(Protocol):
    """Where bytes are kept. Keys are file ids, made here; no name of a client's reaches them.

    Every method may raise OSError when the storage fails.
    """

    def put(self, key: str, source: BinaryIO) -> None:
        """Store all that ``source`` still has. Errors: OSError, nothing stored."""

    def pieces(self, key: str) -> Iterator[bytes]:
        """The bytes, piece by piece. Errors: FileNotFoundError before the first piece."""

    def delete(self, key: str) -> None:
        """Remove the bytes; no error when there are none."""

    def written(self) -> Iterator[tuple[str, datetime]]:
        """Every key with the time it was written, half written ones too."""


def open_bytes(place: str, folder: Path) -> FileBytes:
    """The storage at ``place``: ``s3://bucket/prefix``, or empty for ``folder``.

    Errors: ValueError for another place, RuntimeError when the library for S3 is not installed.
    """
    if not place:
        return FolderBytes(folder)
    parts = urlsplit(place)
    if parts.scheme != "s3" or not parts.netloc:
        raise ValueError(f"not a file storage: {place!r} (use s3://bucket/prefix, or nothing for a folder)")
    return BucketBytes(place)


class FolderBytes:
    """Files in a folder, spread over sub-folders by the end of their key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, source: BinaryIO) -> None:
        """Write beside, then rename: a reader sees the whole file or none."""
        target, partial = self._path(key), self._partial(key)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with open(partial, "wb", opener=_private) as file:
                shutil.copyfileobj(source, file, PIECE)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def pieces(self, key: str) -> Iterator[bytes]:
        """Open at once, read as asked."""
        return _read(self._path(key).open("rb"))

    def delete(self, key: str) -> None:
        """Unlink, also what a process that was killed left half written."""
        self._path(key).unlink(missing_ok=True)
        self._partial(key).unlink(missing_ok=True)

    def written(self) -> Iterator[tuple[str, datetime]]:
        """Walk the sub-folders."""
        for path in self.folder.glob("??/*"):
            key = path.name.removeprefix(".").removesuffix(".part")
            with contextlib.suppress(FileNotFoundError):
                yield key, datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _path(self, key: str) -> Path:
        return self.folder / key[-2:] / key

    def _partial(self, key: str) -> Path:
        return self._path(key).with_name(f".{key}.part")


class BucketBytes:
    """Objects in a bucket; the environment's ``AWS_*`` variables say where and as whom.

    A service that says nothing is an OSError after ``SILENCE_SECONDS``, or after twice as long if it was asked again.
    """

    def __init__(self, url: str, **options: Any) -> None:
        try:
            from obstore.store import S3Store
        except ImportError:
            raise RuntimeError(
                "files in S3 need the extra 's3': uv sync --extra s3 (or pip install 'difyspec[s3]')"
            ) from None
        client: Any = {
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "read_timeout": timedelta(seconds=SILENCE_SECONDS),
            "timeout": WHOLE,
            "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
        }
        retry: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
        given = {"client_options": client, "retry_config": retry, **options}
        self._store = S3Store.from_url(url, **given)

    def put(self, key: str, source: BinaryIO) -> None:
        """An upload in parts: the object appears when the last part is in."""
        import obstore

        with _as_os_error():
            obstore.put(self._store, key, source)

    def pieces(self, key: str) -> Iterator[bytes]:
        """Ask at once, read as asked."""
        import obstore

        with _as_os_error():
            found = obstore.get(self._store, key)
        return (bytes(piece) for piece in found.stream(min_chunk_size=PIECE))

    def delete(self, key: str) -> None:
        """Delete."""
        import obstore

        with contextlib.suppress(FileNotFoundError), _as_os_error():
            obstore.delete(self._store, key)

    def written(self) -> Iterator[tuple[str, datetime]]:
        """List, page by page."""
        import obstore

        for page in obstore.list(self._store):
            for item in page:
                yield item["path"], item["last_modified"]


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """What the service or the way to it does wrong, as the error that a folder would raise."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(f"the file storage failed: {str(error).splitlines()[0]}") from error


def _read(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
