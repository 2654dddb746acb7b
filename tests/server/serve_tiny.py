"""Serves the tiny contract for ``test_real_server``: ``python -m tests.server.serve_tiny FOLDER PORT``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from starlette.responses import StreamingResponse

import server.run
from engine import runs
from server.app import create_app
from server.settings import Settings
from tests.server.conftest import CONTRACT, HANDLERS, settings_in
from tests.waiting import until_async

ended = threading.Event()


async def _until_the_end() -> StreamingResponse:
    async def events() -> Any:
        yield "data: first\n\n"
        await until_async(ended.is_set, "the end")
        yield "data: last\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _tiny(settings: Settings) -> Any:
    return create_app(settings, contract=CONTRACT, handlers={**HANDLERS, "streamIt": _until_the_end}, with_pages=False)


if __name__ == "__main__":
    shutdown = runs.shutdown

    def end() -> None:
        ended.set()
        shutdown()

    runs.shutdown = end
    setattr(server.run, "create_app", _tiny)  # noqa: B010
    # A stream that has not ended when the server's patience is over is cut off: on a machine that is busy enough,
    # before it could end by itself.
    server.run.serve(
        settings_in(
            Path(sys.argv[1]), port=int(sys.argv[2]), public_url="", max_body_bytes=1024 * 1024, shutdown_seconds=600
        )
    )
