"""Stop "shape in" for uploads: one file of a multipart body (RFC 7578), read as it arrives and kept on disk.

Nothing of the file stays in memory beyond the piece that just came. A file that outgrows the limit of its
kind, a second part, an endless header: each ends the reading at once.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.types import Receive, Scope

from engine.files import kinds as file_kinds
from server.multipart_reader import MEDIA, Reader
from server.threads import Threads
from store.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Uploads:
    """What an operator decides about uploads, and the folder where they are collected."""

    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    limits: file_kinds.FileLimits = field(default_factory=file_kinds.FileLimits)


class Multipart:
    """The multipart body of one operation. In: the name of its part, the rules, threads for writing."""

    def __init__(self, part: str, uploads: Uploads, threads: Threads) -> None:
        self.part, self.uploads, self.threads = part, uploads, threads

    async def read(self, scope: Scope, receive: Receive) -> UploadFile:
        """The file, rewound. Refuses unsupported_media_type, no_file_uploaded, too_many_files,
        filename_not_exists, file_extension_blocked, unsupported_file_type, file_too_large, bad_request.
        """
        reader = Reader(_boundary(scope), self.part, self.uploads.folder, self.uploads.limits)
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal("bad_request", "The body ended before its time.")
                more = message.get("more_body", False)
                if piece := message.get("body", b""):
                    await self.threads.run(scope, reader.feed, piece=piece)
            return reader.done()
        except BaseException:
            reader.close()
            raise


def file_part(schema: dict[str, Any]) -> str:
    """The name of the one binary member of a multipart schema. ValueError if there is not exactly one."""
    names = [name for name, item in schema.get("properties", {}).items() if item.get("format") == "binary"]
    if len(names) != 1 or len(schema["properties"]) != 1:
        raise ValueError("a multipart body has one member here, of format binary")
    return names[0]


def _boundary(scope: Scope) -> bytes:
    lines = [value for name, value in scope["headers"] if name == b"content-type"]
    media, options = parse_options_header(lines[0] if len(lines) == 1 else b"")
    if media.lower() != MEDIA.encode():
        raise Refusal("unsupported_media_type", f"Send the body as {MEDIA}.")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:  # RFC 2046 §5.1.1
        raise Refusal("bad_request", "The Content-Type names no boundary of 1 to 70 characters.")
    return boundary
