"""``difyspec serve`` and ``worker``."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.common import fail, opened, settings

if TYPE_CHECKING:
    from server.settings import Settings

Host = Annotated[str | None, typer.Option(help="address to listen on; default: the setting DIFYSPEC_HOST")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="default: the setting DIFYSPEC_PORT")]


def serve(host: Host = None, port: Port = None) -> None:
    """Start the server with the settings of the environment."""
    listen_on(host, port)
    from server.run import serve as run

    current = settings()
    # Opened once before the server does, to say in a sentence why it cannot be.
    with opened():
        can_listen(current)
    run(current)


def worker() -> None:
    """Carry out runs of the shared database, without HTTP.

    Those that a server with DIFYSPEC_MAX_CONCURRENT_RUNS=0 leaves to workers, and those of servers that ended.
    """
    current = settings()
    if not current.max_concurrent_runs:
        fail("DIFYSPEC_MAX_CONCURRENT_RUNS is 0: a worker would carry out nothing; 0 is for `difyspec serve`", 2)
    # Opened once before the work begins, to say in a sentence why it cannot be.
    with opened():
        pass
    from server.work import work

    work(current)


def listen_on(host: str | None, port: int | None) -> None:
    """Let what was said on the command line win over the settings."""
    if host:
        os.environ["DIFYSPEC_HOST"] = host
    if port:
        os.environ["DIFYSPEC_PORT"] = str(port)


def can_listen(current: Settings) -> None:
    """End the command if the address is not there or somebody listens on it already."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            current.host or None, current.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        fail(f"cannot listen on {current.host}:{current.port}: {error.strerror}; --host and --port choose another")
