"""Serve the app with uvicorn, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import structlog
import uvicorn

from server.app import App, create_app
from server.connections import LOOPBACK, Connections
from server.early_answers import EarlyAnswers
from server.heads import Bounds
from server.lifespan import SIGNALS
from server.protocol import Protocol
from server.settings import Settings

SPARE_FILES = 256  # for the database, files and processes, beside what connections take
UNSENT = 64 * 1024  # bytes of answers that the kernel keeps of each connection before they are on their way
log = structlog.get_logger("run")


def serve(settings: Settings, ready: Callable[[App], None] | None = None) -> None:
    """Listen until told to stop. ``ready`` is called once the server accepts connections (default: print the
    ledger).
    """
    app = create_app(settings)
    server = Server(settings, app, lambda: (ready or _print_ledger)(app))
    # uvicorn raises the signal again once it has stopped, for whoever was there before: that is nobody, so
    # that a server that was told to stop, and did, ends with exit code 0 and no trace.
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
    server.run()


class Server(uvicorn.Server):
    """uvicorn with connections that are bounded."""

    def __init__(self, settings: Settings, app: App, ready: Callable[[], None] = lambda: None) -> None:
        self.ready = ready
        self.connections = connections_of(settings)
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http=protocol_of(settings, app, self.connections),  # type: ignore[arg-type]
                ws="none",
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=settings.shutdown_seconds,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for listener in self.servers:
                _bound_what_is_unsent(listener.sockets)
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and answer who is connected: those too whom the kernel has accepted and nobody here yet."""
        self.connections.stopping = True
        late = [taken for listener in self.servers for one in listener.sockets for taken in _waiting_at(one)]
        taking = asyncio.gather(*(self._take(connection) for connection in late))
        # Closes the listeners before it waits for anything: nobody can come between.
        await super().shutdown(sockets)
        await taking

    async def _take(self, connection: socket.socket) -> None:
        make: Callable[..., Protocol] = self.config.http_protocol_class  # type: ignore[assignment]
        protocol = partial(make, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)


def connections_of(settings: Settings) -> Connections:
    """Who may connect. Each connection is an open file: as many as needed are asked for, and what cannot be had is
    told.
    """
    wanted = settings.max_connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = hard if not wanted else min(hard, wanted + SPARE_FILES)
    if soft < needed:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            soft = needed
    if wanted and soft < wanted + SPARE_FILES:
        wanted = max(1, soft - SPARE_FILES)
        log.warning("fewer connections", connections=wanted, open_files=soft, hint="raise the limit (ulimit -n)")
    exempt = [*LOOPBACK, *settings.trusted_proxies]
    return Connections(wanted, settings.max_connections_per_address, exempt)


def protocol_of(settings: Settings, app: App, connections: Connections) -> Callable[..., Protocol]:
    """What uvicorn makes for each connection."""
    bounds = Bounds(
        url_bytes=settings.max_url_bytes,
        head_bytes=settings.max_head_bytes,
        head_fields=settings.max_head_fields,
        head_seconds=settings.head_timeout_seconds,
        idle_seconds=settings.keep_alive_seconds,
        send_seconds=settings.send_timeout_seconds,
    )
    answers = EarlyAnswers(app.parts.api_level, settings.access_log)
    return partial(Protocol, bounds=bounds, connections=connections, answers=answers)


def _waiting_at(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections that a listener has not handed out; closing it would cut them off."""
    with socket.socket(fileno=os.dup(listener.fileno())) as own, contextlib.suppress(OSError):
        own.setblocking(False)
        while True:
            yield own.accept()[0]


def _bound_what_is_unsent(listeners: Iterable[socket.socket]) -> None:
    """Every connection has the options of its listener. Where the system does not know this one, clients that read
    nothing cost more.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    for listener in listeners:
        if option is not None and listener.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                listener.setsockopt(socket.IPPROTO_TCP, option, UNSENT)


def _print_ledger(app: App) -> None:
    print(f"difyspec: {app.ledger}", file=sys.stderr, flush=True)
