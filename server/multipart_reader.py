"""A multipart body (RFC 7578), piece by piece as it arrives: its one file goes to disk, all else ends the reading."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers, UploadFile

from engine.files import kinds as file_kinds
from engine.files.refusals import check_extension, not_stored, too_large
from store.refusal import Refusal

MEDIA = "multipart/form-data"
MAX_NAME_BYTES = 2000
_EXTENDED = re.compile(rb"""(?i);\s*filename\*\s*=\s*"?utf-8'[a-z0-9-]*'([^\s";]+)""")


class Reader:
    """Takes the body piece by piece; not shared between threads at the same time."""

    def __init__(self, boundary: bytes, part: str, folder: Path, limits: file_kinds.FileLimits) -> None:
        self._part, self._folder, self._limits = part, folder, limits
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._headers_done,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )
        self._name, self._value = bytearray(), bytearray()
        self._headers: list[tuple[bytes, bytes]] = []
        self._file: BinaryIO | None = None
        self._filename, self._size, self._limit = "", 0, 0
        self._ended = self._has_others = False

    def feed(self, piece: bytes) -> None:
        """Parse and write one piece."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Refusal("bad_request", f"The body is not valid {MEDIA}: {_plain(error)}.") from None
        except OSError as error:
            raise not_stored() from error

    def done(self) -> UploadFile:
        """The file, once the body has ended."""
        if not self._ended and self._size + len(self._headers) > 0:
            raise Refusal("bad_request", "The body ended before its last boundary.")
        if self._file is None:
            raise Refusal("no_file_uploaded")
        try:
            self._file.seek(0)
        except OSError as error:
            # A small file reaches the disk only here.
            raise not_stored() from error
        headers = Headers(raw=[(name.lower(), value) for name, value in self._headers])
        return UploadFile(self._file, size=self._size, filename=self._filename, headers=headers)

    def close(self) -> None:
        """Let go of what was collected."""
        if self._file is not None:
            # What a full disk did not take is not wanted any more.
            with contextlib.suppress(OSError):
                self._file.close()

    def _begin(self) -> None:
        if self._file is not None:
            raise self._too_many()
        self._headers = []

    def _header(self) -> None:
        self._headers.append((bytes(self._name), bytes(self._value)))
        self._name, self._value = bytearray(), bytearray()

    def _headers_done(self) -> None:
        lines = [value for name, value in self._headers if name.lower() == b"content-disposition"]
        kind, options = parse_options_header(lines[0] if len(lines) == 1 else b"")
        if kind.lower() != b"form-data" or options.get(b"name") != self._part.encode():
            # What is wrong is known when the file comes, or does not.
            self._has_others = True
            return
        if self._has_others:
            raise self._too_many()
        name = _extended_name(lines[0]) or options.get(b"filename")
        if name is None:
            raise Refusal("no_file_uploaded")
        if not name:
            raise Refusal("filename_not_exists")
        if not any(name.lower() == b"content-type" and value.strip() for name, value in self._headers):
            raise Refusal("unsupported_file_type", "The part has no Content-Type.")
        try:
            self._filename = name[:MAX_NAME_BYTES].decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal("bad_request", "The file name is not valid UTF-8.") from None
        extension = file_kinds.extension_of(self._filename)
        check_extension(self._limits, extension)
        self._limit = self._limits.bytes(extension)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without a name from the start: whatever ends this process leaves no half file behind.
        self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (closed by who reads it)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            return
        self._size += end - start
        if self._size > self._limit:
            raise too_large(self._limits, file_kinds.extension_of(self._filename))
        self._file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._ended = True

    def _too_many(self) -> Refusal:
        return Refusal("too_many_files", f"Send one file, in a part named '{self._part}', and nothing else.")


def _extended_name(disposition: bytes) -> bytes | None:
    """The name as RFC 8187 writes it (``filename*``). It has no place in forms (RFC 7578 §4.2), but common clients
    send names beyond ASCII this way, some beside a plain one that is percent-encoded.
    """
    found = _EXTENDED.search(disposition)
    return unquote_to_bytes(found[1]) if found else None


def _plain(error: Exception) -> str:
    return "a part's header is too large" if "header" in str(error).lower() else "it breaks the format"
