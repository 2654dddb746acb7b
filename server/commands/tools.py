"""``difyspec tools``: APIs whose operations are tools for apps, imported from OpenAPI documents."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from server.commands.common import Format, Output, fail, opened, show, workspace_or_only

app = typer.Typer(
    help=(
        "Tools that agents and tool nodes call. Some come with the server; others are operations of APIs, imported "
        "from OpenAPI documents."
    ),
    no_args_is_help=True,
)

Workspace = Annotated[str, typer.Option("--workspace", help="id; default: the only workspace")]
_NAME = re.compile(r"[^\s/]{1,100}")


class Auth(StrEnum):
    """How an API is given its credential."""

    none = "none"
    bearer = "bearer"
    basic = "basic"
    header = "header"
    query = "query"


@app.command("import")
def import_api(
    file: Annotated[Path, typer.Argument(help="OpenAPI 3 document, YAML or JSON", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="the provider's name in apps; default: the document's title")] = "",
    server: Annotated[str, typer.Option(help="address of the API; default: the document's")] = "",
    auth: Annotated[Auth | None, typer.Option(help="how the credential is sent; default: as the document says")] = None,
    auth_name: Annotated[str, typer.Option(help="name of the header or query parameter")] = "",
    secret_env: Annotated[
        str, typer.Option(help="environment variable that holds the credential (basic: USER:PASSWORD)")
    ] = "",
    ask: Annotated[bool, typer.Option("--ask", help="ask for the credential on the terminal")] = False,
    workspace_id: Workspace = "",
    output: Output = Format.table,
) -> None:
    """Import an API, or import it again.

    Each operation becomes a tool for the workspace's apps.

    The credential is stored encrypted; one in the setting DIFYSPEC_TOOL_CREDENTIALS wins over it. Calls go through
    the same guarded client as HTTP nodes: private addresses need DIFYSPEC_ALLOWED_OUTBOUND_HOSTS.
    """
    import store.tools
    from engine.definition.error import DefinitionError
    from engine.tools import custom, openapi
    from engine.tools.registry import BUILT_IN

    try:
        definition, warnings = openapi.load(file.read_bytes(), server)
    except DefinitionError as error:
        fail(f"{file}: nothing was imported: {error}")
    definition["auth"] = _auth(definition["auth"], auth, auth_name)
    called = name or re.sub(r"[\s/]+", "_", definition["title"].strip())[:100]
    if not _NAME.fullmatch(called):
        fail("give the API a name of 1 to 100 characters without spaces and slashes: --name NAME", 2)
    if called.casefold() in {tool.provider for tool in BUILT_IN}:
        fail(f"{called!r} is the name of tools that come with the server; choose another with --name", 2)
    credential = _credential(secret_env, ask)
    with opened() as settings:
        where = workspace_or_only(workspace_id)
        sealed = custom.seal(settings.secret(), credential) if credential else None
        made = store.tools.save(
            where, called, definition=definition, source=file.read_text("utf-8"), sealed_credential=sealed
        )
        for warning in warnings:
            typer.echo(f"{file}: {warning}", err=True)
        kind = definition["auth"]["kind"]
        if kind != "none" and not made.sealed_credential and called not in settings.credentials_of_tools():
            typer.echo(
                f"{called} wants a credential ({kind}): import it again with --ask or --secret-env, "
                "or set DIFYSPEC_TOOL_CREDENTIALS",
                err=True,
            )
        show([_row(made, operation) for operation in made.definition["operations"]], output)


@app.command("list")
def list_tools(output: Output = Format.table) -> None:
    """All tools: those that come with the server, then imported ones."""
    import store.tools
    from engine.tools.registry import BUILT_IN

    rows = [{"provider": t.provider, "tool": t.name, "does": t.description, "from": "the server"} for t in BUILT_IN]
    with opened():
        for provider in store.tools.for_operator_list_all():
            rows += [_row(provider, operation) for operation in provider.definition["operations"]]
        show(rows, output)


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="the provider's name or id")],
    workspace_id: Workspace = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Delete an imported API with its credential. Apps that use it fail where they call it."""
    import store.tools

    with opened():
        found = [
            one
            for one in store.tools.for_operator_list_all(workspace_id or None)
            if name == one.id or name.casefold() == one.name.casefold()
        ]
        if len(found) != 1:
            known = "there is no imported API" if not found else "more than one workspace has an API"
            fail(f"{known} {name!r}; `difyspec tools list` shows them, --workspace chooses one")
        if not yes:
            typer.confirm(f"Delete {found[0].name!r} with {len(found[0].definition['operations'])} tools?", abort=True)
        store.tools.for_operator_delete(found[0].id)
        typer.echo("deleted")


def _row(provider: Any, operation: dict[str, Any]) -> dict[str, Any]:
    address = f"{operation['method']} {provider.definition['server']}{operation['path']}"
    return {"provider": provider.name, "tool": operation["name"], "does": operation["label"], "from": address}


def _auth(read: dict[str, str], kind: Auth | None, name: str) -> dict[str, str]:
    if kind is None:
        return {**read, "name": name or read["name"]}
    chosen = {"kind": kind.value, "name": name or (read["name"] if read["kind"] == kind else "")}
    if kind in (Auth.header, Auth.query) and not chosen["name"]:
        fail(f"--auth {kind.value} needs --auth-name, the name of the {kind.value}", 2)
    return chosen


def _credential(variable: str, ask: bool) -> str:
    if ask:
        answer: str = typer.prompt("Credential", hide_input=True, err=True)
        return answer.strip()
    if not variable:
        return ""
    value = os.environ.get(variable, "").strip()
    if not value:
        fail(f"the environment variable {variable} is empty", 2)
    return value
