"""``difyspec workspaces``: where apps live, and who belongs."""

from __future__ import annotations

from typing import Annotated

import typer

from server.commands import members
from server.commands.common import Format, Output, account_named, fail, opened, show

app = typer.Typer(help="Where apps live, and who belongs.", no_args_is_help=True)
app.add_typer(members.app, name="members")

STATUSES = ("normal", "archive")


@app.command()
def create(
    name: Annotated[str, typer.Argument()],
    owner: Annotated[str, typer.Option(help="e-mail of the owner")],
    output: Output = Format.table,
) -> None:
    """Make a workspace."""
    import store.workspaces

    with opened():
        made = store.workspaces.create(name, account_named(owner).id)
        show([{"id": made.id, "name": made.name}], output)


@app.command("list")
def list_workspaces(
    email: Annotated[str, typer.Argument(help="whose workspaces")], output: Output = Format.table
) -> None:
    """The workspaces of an account."""
    import store.workspaces

    with opened():
        rows = store.workspaces.of(account_named(email).id)
        show([{"id": r.id, "name": r.name, "role": r.role, "status": r.status} for r in rows], output)


@app.command("set-status")
def set_status(
    workspace_id: Annotated[str, typer.Argument(help="the workspace's id")],
    status: Annotated[str, typer.Argument(help="archive, or normal to bring it back")],
) -> None:
    """Archive a workspace, or bring it back. Nothing in an archived one can be run or read."""
    import store.workspaces

    if status not in STATUSES:
        fail("status is one of: " + ", ".join(STATUSES), 2)
    with opened():
        if not store.workspaces.set_status(workspace_id, status):
            fail(f"there is no workspace {workspace_id!r}; `difyspec workspaces list EMAIL` shows them")
        typer.echo(f"{workspace_id} is {status}")


@app.command("add-member")
def add_member(
    workspace_id: members.WorkspaceId,
    email: Annotated[str, typer.Argument(help="e-mail of an account")],
    role: Annotated[str, typer.Option(help="one of: " + ", ".join(members.ROLES))] = "normal",
) -> None:
    """Let an account into a workspace; the same as `members add`."""
    members.add(workspace_id, email, role)
