"""``difyspec demo``: a server with something to use, in one command."""

from __future__ import annotations

import json
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.common import opened, settings
from server.commands.serving import Host, Port, can_listen, listen_on

if TYPE_CHECKING:
    from server.settings import Settings
    from store.accounts import Account

EMAIL = "owner@example.com"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="where all its state is kept; default: the setting DIFYSPEC_DATA_DIR")
    ] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Start a server with sample apps, an owner and a token.

    All its state stays in one folder. Started again, it has the same password and the same token.
    """
    listen_on(host, port)
    if directory:
        os.environ["DIFYSPEC_DATA_DIR"] = str(directory.resolve())
    current = settings()
    with opened():
        can_listen(current)
        said = _prepare(current)
    typer.echo(said)
    from server.run import serve as run

    run(current)


def _prepare(current: Settings) -> str:
    """Bring the demo's state in place; answer the text that says what to do next."""
    import store.accounts
    import store.apps
    import store.workspaces

    kept = current.data_dir / "demo.json"
    known = _known(kept)
    owner, password = _owner(current, known.get("password") or secrets.token_urlsafe(9))
    token = _token(current, owner, known.get("token") or "")
    # As plain as the server's secret beside it: whoever restarts a demo goes on with the same sign-ins and clients.
    with open(kept, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        json.dump({"password": password, "token": token}, file)
    api = f"{current.base_url}/openapi/v1"
    app_id = next((one.id for one in store.apps.for_operator_list_all() if one.name == "Summarise"), "")
    return f"""
  difyspec demo: state in {current.data_dir.absolute()}, Ctrl+C ends it

  Try the apps    {current.base_url}/apps
  Sign in as      {EMAIL}  /  {password}
  Enter a code    {current.base_url}/device
  The contract    {api}/docs

  For programs, lines to paste into another terminal:

export TOKEN={token}
export WORKSPACE={store.workspaces.default_id(owner.id)} APP={app_id}
curl -s {api}/account -H "Authorization: Bearer $TOKEN"
curl -s "{api}/apps?workspace_id=$WORKSPACE" -H "Authorization: Bearer $TOKEN"
curl -sN {api}/apps/$APP/run -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" -d '{{"inputs": {{"text": "Bees dance to tell the way."}}}}'
"""


def _known(kept: Path) -> dict[str, str]:
    """The password and the token of the last time; nothing if there was none, or if it cannot be read."""
    try:
        found = json.loads(kept.read_text())
        return {name: str(found[name]) for name in ("password", "token")}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _owner(current: Settings, password: str) -> tuple[Account, str]:
    """The owner, made with a workspace and the examples if need be, and the password that opens the pages."""
    import store.accounts
    import store.workspaces

    owner = store.accounts.by_email(EMAIL)
    if owner is None:
        owner = store.accounts.create(EMAIL, "Demo Owner", password)
        _import_examples(store.workspaces.create("Demo workspace", owner.id).id, owner, current.secret())
    elif store.accounts.check_password(EMAIL, password) is None:
        store.accounts.set_password(owner.id, password)
    return owner, password


def _token(current: Settings, owner: Account, known: str) -> str:
    """The token of the last time if it is good for another day, else a new one."""
    import store.sessions
    from store.clock import current as clock

    caller = store.sessions.resolve(known)
    if caller is not None and caller.expires_at > clock().now() + timedelta(days=1):
        return known
    token, _ = store.sessions.mint(
        account_id=owner.id,
        email=owner.email,
        issuer=None,
        client_id="difyspec",
        device_label="demo",
        ttl=timedelta(days=current.token_ttl_days),
    )
    return token


def _import_examples(workspace_id: str, owner: Account, secret_key: str) -> None:
    from engine.definition import reading as definition
    from server.commands.apps import import_one

    for path in sorted(EXAMPLES.glob("*.yml"), reverse=True):
        import_one(workspace_id, owner.id, path, definition.load(path.read_bytes()), ["example"], True, secret_key)
