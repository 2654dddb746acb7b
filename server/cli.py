"""The ``difyspec`` command: one line here per command, what they do is in ``server.commands``.

Exit codes: 0 done, 1 refused or failed (the reason on standard error), 2 wrong usage or settings.
"""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from server.commands import accounts, apps, datasets, demo, inspect, keys, models, serving, tokens, tools, workspaces

app = typer.Typer(
    name="difyspec",
    help=(
        "A contract-first server of Dify's user-scoped API (/openapi/v1).\n\n"
        "New here? `difyspec demo` starts a server with an owner, sample apps and a token.\n\n"
        "Settings come from the environment (DIFYSPEC_*, DATABASE_URL, REDIS_URL) or a .env file; "
        "`difyspec check-config` shows them."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("demo")(demo.demo)
app.command("serve")(serving.serve)
app.command("worker")(serving.worker)
app.add_typer(accounts.app, name="accounts")
app.add_typer(workspaces.app, name="workspaces")
app.add_typer(tokens.app, name="tokens")
app.add_typer(apps.app, name="apps")
app.add_typer(datasets.app, name="datasets")
app.add_typer(models.app, name="models")
app.add_typer(tools.app, name="tools")
app.add_typer(keys.app, name="keys")
app.command("journey")(inspect.journey)
app.command("check-config")(inspect.check_config)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"difyspec {metadata.version('difyspec')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What the command takes without another command."""


def main() -> None:
    """Entry point of the console script. What the machine refuses (a full disk, a file) is one sentence."""
    try:
        app()
    except OSError as error:
        if not error.strerror:
            raise
        where = f": {error.filename}" if error.filename else ""
        typer.echo(f"difyspec: {error.strerror}{where}", err=True)
        raise SystemExit(1) from None
