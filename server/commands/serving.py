"""``difyspec serve``, ``demo`` and ``worker``."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.common import fail, opened, settings

if TYPE_CHECKING:
    from server.settings import Settings
    from store.accounts import Account

DEMO_EMAIL = "owner@example.com"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Host = Annotated[str | None, typer.Option(help="address to listen on; default: the setting DIFYSPEC_HOST")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="default: the setting DIFYSPEC_PORT")]


def serve(host: Host = None, port: Port = None) -> None:
    """Start the server with the settings of the environment."""
    _listen(host, port)
    from server.run import serve as run

    current = settings()
    # Opened once before the server does, to say in a sentence why it cannot be.
    with opened():
        _can_listen(current)
    run(current)


def worker() -> None:
    """Carry out runs of the shared database without serving HTTP: those that a server with
    DIFYSPEC_MAX_CONCURRENT_RUNS=0 leaves to workers, and those of servers that ended.
    """
    current = settings()
    if not current.max_concurrent_runs:
        fail("DIFYSPEC_MAX_CONCURRENT_RUNS is 0: a worker would carry out nothing; 0 is for `difyspec serve`", 2)
    # Opened once before the work begins, to say in a sentence why it cannot be.
    with opened():
        pass
    from server.work import work

    work(current)


def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="where all its state is kept; default: the setting DIFYSPEC_DATA_DIR")
    ] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Start a server with something to use: an owner, the sample apps, a token. State stays in one folder."""
    _listen(host, port)
    if directory:
        os.environ["DIFYSPEC_DATA_DIR"] = str(directory.resolve())
    current = settings()
    with opened():
        _can_listen(current)
    typer.echo(_prepare(current))
    from server.run import serve as run

    run(current)


def _listen(host: str | None, port: int | None) -> None:
    if host:
        os.environ["DIFYSPEC_HOST"] = host
    if port:
        os.environ["DIFYSPEC_PORT"] = str(port)


def _can_listen(current: Settings) -> None:
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


def _prepare(current: Settings) -> str:
    """Bring the demo's state in place; answer the text that says what to do next."""
    import store
    import store.accounts
    import store.apps
    import store.sessions
    import store.workspaces

    store.open(current.store_url)
    try:
        password = secrets.token_urlsafe(9)
        owner = store.accounts.by_email(DEMO_EMAIL)
        if owner is None:
            owner = store.accounts.create(DEMO_EMAIL, "Demo Owner", password)
            store.workspaces.create("Demo workspace", owner.id)
            _import_examples(owner, current.secret())
        else:
            store.accounts.set_password(owner.id, password)
        token, _ = store.sessions.mint(
            account_id=owner.id,
            email=owner.email,
            issuer=None,
            client_id="difyspec",
            device_label="demo",
            ttl=timedelta(days=current.token_ttl_days),
        )
        app_id = next((one.id for one in store.apps.for_operator_list_all() if one.name == "Summarise"), "APP_ID")
        workspace_id = store.workspaces.default_id(owner.id)
    finally:
        store.close()
    api = f"{current.base_url}/openapi/v1"
    return f"""
  difyspec demo: state in {current.data_dir.absolute()}

  Sign in        {current.base_url}/signin   {DEMO_EMAIL}  /  {password}
  Approve a code {current.base_url}/device
  The contract   {api}/docs

  A token for the impatient:

export TOKEN={token}

  Three lines to paste:

curl -s {api}/account -H "Authorization: Bearer $TOKEN"
curl -s "{api}/apps?workspace_id={workspace_id}" -H "Authorization: Bearer $TOKEN"
curl -sN {api}/apps/{app_id}/run -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" -d '{{"inputs": {{"text": "Bees dance to tell the way."}}}}'
"""


def _import_examples(owner: Account, secret_key: str) -> None:
    import store.workspaces
    from engine.definition import reading as definition
    from server.commands.apps import import_one

    workspace_id = store.workspaces.default_id(owner.id)
    if workspace_id is None:
        return
    for path in sorted(EXAMPLES.glob("*.yml"), reverse=True):
        import_one(workspace_id, owner.id, path, definition.load(path.read_bytes()), ["example"], True, secret_key)
