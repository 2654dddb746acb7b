"""``difyspec workspaces``: where apps live, and who belongs."""

from __future__ import annotations

from typing import Annotated

import typer

from server.commands.common import Format, Output, account_named, fail, opened, show

app = typer.Typer(help="Where apps live, and who belongs.", no_args_is_help=True)

ROLES = ("admin", "editor", "normal", "dataset_operator")


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


@app.command("add-member")
def add_member(
    workspace_id: Annotated[str, typer.Argument()],
    email: Annotated[str, typer.Argument()],
    role: Annotated[str, typer.Option(help="one of: " + ", ".join(ROLES))] = "normal",
) -> None:
    """Let an account into a workspace."""
    import store.workspaces

    if role not in ROLES:
        fail("role is one of: " + ", ".join(ROLES), 2)
    with opened():
        store.workspaces.add_member(workspace_id, account_named(email).id, role)
        typer.echo(f"{email} is {role} of {workspace_id}")
