"""`difyspec serve` that counts, into the file of eight-byte numbers that ``COUNTS`` names: the looks of the watch at
runs, the statements that it makes, and those of everybody else but the keeper, whose ticks need no reader.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Any

from engine.watch import Watch
from server.cli import main
from store import sql

NAMES = ("looks", "of the watch", "of others")


def counting() -> None:
    """Begin to count."""
    with Path(os.environ["COUNTS"]).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8 * len(NAMES))

    def count(place: int) -> None:
        struct.pack_into("q", shared, 8 * place, struct.unpack_from("q", shared, 8 * place)[0] + 1)

    look = Watch.look_at_runs

    def counted(watch: Watch) -> None:
        count(0)
        look(watch)

    Watch.look_at_runs = counted  # type: ignore[method-assign]
    for name in ("row", "rows"):

        def select(statement: str, *values: object, real: Any = getattr(sql, name)) -> Any:
            thread = threading.current_thread().name
            if thread != "run-keeper":
                count(1 if thread == "stream-watch" else 2)
            return real(statement, *values)

        setattr(sql, name, select)


if __name__ == "__main__":
    counting()
    main()
