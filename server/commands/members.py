"""``difyspec workspaces members``: who belongs to a workspace, and as what."""

from __future__ import annotations

from typing import Annotated

import typer

from server.commands.common import Format, Output, account_named, fail, opened, show

app = typer.Typer(
    help="Who belongs to a workspace. What is taken away counts at once, for open streams within a second.",
    no_args_is_help=True,
)

ROLES = ("admin", "editor", "normal", "dataset_operator")
WorkspaceId = Annotated[str, typer.Argument(help="the workspace's id; `difyspec workspaces list EMAIL` shows it")]
Member = Annotated[str, typer.Argument(help="e-mail of the member")]
Role = Annotated[str, typer.Argument(help="one of: " + ", ".join(ROLES))]


@app.command("list")
def list_members(workspace_id: WorkspaceId, output: Output = Format.table) -> None:
    """The members of a workspace with their roles, the owner first."""
    import store.workspaces

    with opened():
        _existing(workspace_id)
        rows = store.workspaces.members(workspace_id)
        show(
            [{"id": r.account_id, "email": r.email, "name": r.name, "role": r.role, "status": r.status} for r in rows],
            output,
        )


@app.command()
def add(
    workspace_id: WorkspaceId,
    email: Annotated[str, typer.Argument(help="e-mail of an account")],
    role: Annotated[str, typer.Option(help="one of: " + ", ".join(ROLES))] = "normal",
    output: Output = Format.table,
) -> None:
    """Let an account into a workspace."""
    import store.workspaces

    _check(role)
    with opened():
        _existing(workspace_id)
        account = account_named(email)
        store.workspaces.add_member(workspace_id, account.id, role)
        _told(workspace_id, account.email, role, output)


@app.command("set-role")
def set_role(workspace_id: WorkspaceId, email: Member, role: Role, output: Output = Format.table) -> None:
    """Give a member another role. The owner keeps theirs."""
    import store.workspaces

    _check(role)
    with opened():
        _existing(workspace_id)
        account = account_named(email)
        if not store.workspaces.set_role(workspace_id, account.id, role):
            _refuse(workspace_id, account.id, email, "keeps the role")
        _told(workspace_id, account.email, role, output)


@app.command()
def remove(workspace_id: WorkspaceId, email: Member, output: Output = Format.table) -> None:
    """Take a member out of a workspace. Their account, tokens and runs stay; the owner cannot be removed."""
    import store.workspaces

    with opened():
        _existing(workspace_id)
        account = account_named(email)
        if not store.workspaces.remove_member(workspace_id, account.id):
            _refuse(workspace_id, account.id, email, "cannot be removed")
        _told(workspace_id, account.email, None, output)


def _check(role: str) -> None:
    if role not in ROLES:
        fail("role is one of: " + ", ".join(ROLES) + " (a workspace has one owner, who made it)", 2)


def _existing(workspace_id: str) -> None:
    import store.workspaces

    if workspace_id not in {one.id for one in store.workspaces.for_operator_list_all()}:
        fail(f"there is no workspace {workspace_id!r}; `difyspec workspaces list EMAIL` shows them")


def _refuse(workspace_id: str, account_id: str, email: str, what: str) -> None:
    """End the command: nothing was changed, because the account is the owner, or no member at all."""
    import store.workspaces

    if any(one.account_id == account_id for one in store.workspaces.members(workspace_id)):
        fail(f"{email} owns the workspace and {what}: a workspace needs its owner")
    fail(f"{email} is no member; `difyspec workspaces members list {workspace_id}` shows them")


def _told(workspace_id: str, email: str, role: str | None, output: Format) -> None:
    if output is Format.json:
        show([{"workspace_id": workspace_id, "email": email, "role": role}], output)
    else:
        typer.echo(f"{email} is {role or 'no member any more'} of {workspace_id}")
