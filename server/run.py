"""Serve the app with uvicorn, in this process."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

import uvicorn

from server.app import App, create_app
from server.lifespan import SIGNALS
from server.settings import Settings


def serve(settings: Settings, ready: Callable[[App], None] | None = None) -> None:
    """Listen until told to stop. ``ready`` is called once the server accepts connections (default: print the
    ledger).
    """
    app = create_app(settings)
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
    )
    server.ready = lambda: (ready or _print_ledger)(app)
    # uvicorn raises the signal again once it has stopped, for whoever was there before: that is nobody, so
    # that a server that was told to stop, and did, ends with exit code 0 and no trace.
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
    server.run()


class _Server(uvicorn.Server):
    ready: Callable[[], None]

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self.ready()


def _print_ledger(app: App) -> None:
    print(f"difyspec: {app.ledger}", file=sys.stderr, flush=True)
