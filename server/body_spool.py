"""Bodies of forms for people that may bring files: collected on disk before the pages are asked.

The pages have few threads. One of them must not wait for a slow sender, nor does memory hold what is sent.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.types import Message, Receive, Scope

from server.body_room import BodyRoom
from server.threads import Threads

IN_MEMORY = 256 * 1024  # bytes beyond which a body is written to disk
PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Spool:
    """Which bodies these are: multipart ones at ``paths``, whose one group goes to ``room`` (blocking), which says
    how many bytes of files are expected there; 0 makes a body like any other. ``seconds``: how long one may take.
    ``disk`` bounds what is collected, ``threads`` is where the database is asked.
    """

    paths: re.Pattern[str]
    room: Callable[[str], int]
    seconds: float
    threads: Threads
    disk: BodyRoom = field(default_factory=BodyRoom)

    async def room_of(self, scope: Scope) -> int:
        """The bytes of files that may come with this request."""
        media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        found = self.paths.fullmatch(scope["path"])
        if found is None or not media.lower().startswith(b"multipart/form-data"):
            return 0
        room: int = await self.threads.run(scope, self.room, token=found[1])
        return room


@contextlib.contextmanager
def opened() -> Iterator[tuple[IO[bytes], Callable[[bytes], None]]]:
    """Where a body is collected, and what takes a piece of it; OSError when the disk does not."""
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (a full disk fails its end too)

    def take(piece: bytes) -> None:
        file.write(piece)
        file.flush()

    try:
        yield file, take
    finally:
        with contextlib.suppress(OSError):
            file.close()


def replay(body: IO[bytes], receive: Receive) -> Receive:
    """Hand a collected body on, from its beginning, piece by piece."""
    is_begun = is_over = False

    async def pieces() -> Message:
        nonlocal is_begun, is_over
        if is_over:
            return await receive()
        if not is_begun:
            body.seek(0)
            is_begun = True
        piece = body.read(PIECE)
        is_over = len(piece) < PIECE
        return {"type": "http.request", "body": piece, "more_body": not is_over}

    return pieces
