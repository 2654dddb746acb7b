"""``difyspec apps``: import definitions, publish them, say who may run them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import Format, Output, account_named, fail, opened, show
from server.commands.models import answered_by
from server.commands.needs import missing

if TYPE_CHECKING:
    from store.apps import App

app = typer.Typer(help="App definitions: import, publish, export, access.", no_args_is_help=True)

ACCESS_MODES = ("public", "private", "private_all", "sso_verified")
AppId = Annotated[str, typer.Argument(help="the app's id")]


@app.command("import")
def import_apps(
    files: Annotated[list[Path], typer.Argument(help="Dify DSL files, or directories of them", exists=True)],
    owner: Annotated[str, typer.Option(help="e-mail of the author; default: the only account")] = "",
    workspace_id: Annotated[str, typer.Option("--workspace", help="default: the author's current one")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="tag the apps; may be repeated")] = None,
    publish: Annotated[bool, typer.Option(help="publish at once, so that the app can run")] = True,
    output: Output = Format.table,
) -> None:
    """Import definitions. One that cannot be imported says which key and why, and nothing at all is stored."""
    import store.workspaces
    from engine.definition import reading as definition

    found = _definition_files(files)
    loaded, problems = [], []
    for path in found:
        try:
            loaded.append((path, definition.load(path.read_bytes())))
        except definition.DefinitionError as error:
            problems.append(f"{path}: {error}")
    if problems:
        fail("nothing was imported:\n  " + "\n  ".join(problems))
    with opened() as current:
        table = current.model_table()
        author = account_named(owner) if owner else _only_account()
        where = workspace_id or store.workspaces.default_id(author.id)
        if where is None or store.workspaces.visible(author.id, where) is None:
            fail(f"{author.email} does not belong to the workspace {where or '(none)'}")
        rows = []
        for path, one in loaded:
            made = import_one(where, author.id, path, one, tag or [], publish, current.secret())
            answers = answered_by(table, one.document)
            rows.append({"id": made.id, "name": made.name, "mode": made.mode, "file": str(path), "models": answers})
            for warning in [*one.warnings, *missing(made.id, one.document)]:
                typer.echo(f"{path}: {warning}", err=True)
        show(rows, output)


def import_one(
    workspace_id: str, author_id: str, path: Path, one: Any, tags: list[str], publish: bool, secret_key: str
) -> App:
    """Store one loaded definition (``engine.definition.reading.Definition``), published or as a draft.

    Its secrets (the values of secret variables, keys in settings) are sealed with the server's key, and left out of the
    text that is exported.
    """
    import store.apps
    from engine.definition import author_secrets
    from engine.running.sealing import Sealer

    source = path.read_text(encoding="utf-8")
    made = store.apps.create(
        workspace_id,
        author_id,
        name=one.name,
        mode=one.mode,
        description=one.description,
        definition=author_secrets.sealed(one.document, Sealer(secret_key), source),
        source=author_secrets.blanked(source),
        tags=tags,
    )
    if publish:
        store.apps.publish(made.id)
    return made


@app.command("list")
def list_apps(output: Output = Format.table) -> None:
    """All apps of the installation."""
    import store.apps

    with opened():
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "mode": one.mode,
                "access": one.access_mode,
                "published": one.published_id is not None,
                "workspace": one.workspace_name,
            }
            for one in store.apps.for_operator_list_all()
        ]
        show(rows, output, "no apps yet; `difyspec apps import FILE` brings one in")


@app.command()
def export(
    app_id: AppId,
    with_secrets: Annotated[
        bool, typer.Option("--secrets", help="with the secrets that were imported with it")
    ] = False,
) -> None:
    """Print the definition as it was imported. Its secrets are left out: the values of secret variables, and keys in
    settings.
    """
    import store.apps
    from engine.definition import author_secrets
    from engine.running.sealing import Sealer

    with opened() as current:
        _existing(app_id)
        stored = store.apps.draft(app_id)
        text = stored.source if stored else ""
        if stored and text and with_secrets:
            sealer = Sealer(current.secret(), current.old_secrets())
            text = author_secrets.restored(text, stored.definition, sealer)
        typer.echo(text, nl=False)


@app.command()
def publish(app_id: AppId) -> None:
    """Make the app's draft its published version."""
    import store.apps

    with opened():
        _existing(app_id)
        typer.echo(store.apps.publish(app_id))


@app.command()
def delete(app_id: AppId, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Delete an app with its runs."""
    import store.apps

    with opened():
        one = _existing(app_id)
        if not yes:
            typer.confirm(f"Delete {one.name!r} and all its runs?", abort=True)
        store.apps.delete(app_id)
        typer.echo("deleted")


@app.command()
def access(
    app_id: AppId,
    mode: Annotated[str, typer.Argument(help="one of: " + ", ".join(ACCESS_MODES))],
    allow: Annotated[list[str] | None, typer.Option(help="e-mail of a member who may use a private app")] = None,
) -> None:
    """Say who may run an app.

    Everyone, members, listed members, or people of a verified identity provider.
    """
    import store.apps

    if mode not in ACCESS_MODES:
        fail("mode is one of: " + ", ".join(ACCESS_MODES), 2)
    with opened():
        _existing(app_id)
        store.apps.set_access(app_id, mode, tuple(allow or ()))
        typer.echo(f"{app_id} is {mode}")


@app.command()
def api(app_id: AppId, switch: Annotated[str, typer.Argument(help="on or off")]) -> None:
    """Switch an app's service API on or off.

    Off, nobody can run it or see its runs, whatever its access mode.
    """
    import store.apps

    if switch not in ("on", "off"):
        fail("say on or off", 2)
    with opened():
        _existing(app_id)
        store.apps.set_api(app_id, switch == "on")
        typer.echo(f"the service API of {app_id} is {switch}")


def _definition_files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix in (".yml", ".yaml")) if path.is_dir() else [path]
        found += inside
    if not found:
        fail("no .yml or .yaml file there", 2)
    return found


def _only_account() -> Any:
    import store.accounts

    accounts = store.accounts.list_all()
    if not accounts:
        fail("there is no account yet; `difyspec accounts create EMAIL` makes one", 2)
    if len(accounts) != 1:
        fail("name the author with --owner EMAIL (there is not exactly one account)", 2)
    return accounts[0]


def _existing(app_id: str) -> App:
    import store.apps

    one = store.apps.for_operator_get(app_id)
    if one is None:
        fail(f"there is no app {app_id}; `difyspec apps list` shows them")
    return one
