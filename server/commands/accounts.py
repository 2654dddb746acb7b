"""``difyspec accounts``: the people who may sign in."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

from server.commands.common import Format, Output, account_named, fail, opened, show

app = typer.Typer(help="People who may sign in.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="e-mail address; sign-in ignores its case")]
Password = Annotated[str, typer.Option(envvar="DIFYSPEC_PASSWORD", help="default: asked for")]


@app.command()
def create(
    email: Email,
    name: Annotated[str, typer.Option(help="shown to others; default: the part before the @")] = "",
    workspace: Annotated[
        str, typer.Option(help="name of a workspace made for the account; '' makes none")
    ] = "My workspace",
    password: Password = "",
    output: Output = Format.table,
) -> None:
    """Make an account, and a workspace it owns. Asks for the password (or reads DIFYSPEC_PASSWORD)."""
    import store.accounts
    import store.workspaces

    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        fail(f"{email!r} is not an e-mail address (name@host)", 2)
    with opened():
        if store.accounts.by_email(email):
            fail(f"there is an account with the e-mail {email!r} already; `difyspec accounts list` shows them")
        account = store.accounts.create(email, name or email.partition("@")[0], _asked(password))
        row = {"id": account.id, "email": account.email, "name": account.name, "workspace_id": None}
        if workspace:
            row["workspace_id"] = store.workspaces.create(workspace, account.id).id
        show([row], output)


@app.command("list")
def list_accounts(output: Output = Format.table) -> None:
    """All accounts."""
    import store.accounts

    with opened():
        rows = [
            {"id": one.id, "email": one.email, "name": one.name, "status": one.status}
            for one in store.accounts.list_all()
        ]
        show(rows, output, "no accounts yet; `difyspec accounts create EMAIL` makes one")


@app.command("set-status")
def set_status(email: Email, status: Annotated[str, typer.Argument(help="active, banned or closed")]) -> None:
    """Ban, close or reactivate an account. Anything but active revokes its sessions at once."""
    import store.accounts

    if status not in ("active", "banned", "closed"):
        fail("status is one of: active, banned, closed", 2)
    with opened():
        store.accounts.set_status(account_named(email).id, status)
        typer.echo(f"{email} is {status}")


@app.command("set-password")
def set_password(
    email: Email,
    password: Password = "",
) -> None:
    """Give an account a new password."""
    import store.accounts

    with opened():
        account = account_named(email)
        store.accounts.set_password(account.id, _asked(password))
        typer.echo(f"the password of {email} is changed")


def _asked(password: str) -> str:
    """The given password, or the one that is typed; too short a one ends the command."""
    if not password and not sys.stdin.isatty():
        fail("set DIFYSPEC_PASSWORD, or call this in a terminal to be asked for the password", 2)
    password = password or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < 8:
        fail("the password must have at least 8 characters", 2)
    return password
