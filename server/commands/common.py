"""What commands share: opening the store, printing rows or JSON, ending with a reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from server.settings import Settings
    from store.accounts import Account

WIDE = 10_000  # columns; a pipe has no edge to fold at


class Format(StrEnum):
    """How a command prints its answer."""

    table = "table"
    json = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="table for people, json for programs")]


def fail(message: str, code: int = 1) -> NoReturn:
    """Say why on standard error and end with ``code``."""
    typer.echo(f"difyspec: {message}", err=True)
    raise typer.Exit(code)


def settings() -> Settings:
    """The settings in force; a bad one ends the command with its name and the fix (exit code 2)."""
    from server.settings import SettingsError, load

    try:
        return load()
    except SettingsError as error:
        fail(str(error), 2)


def data_folder(current: Settings) -> None:
    """Make the folder of the state, and say so: it may be the wrong place. Or end the command."""
    is_new = not current.data_dir.exists()
    try:
        current.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(current.data_dir, os.W_OK | os.X_OK):
            raise PermissionError(0, "Permission denied")
    except OSError as error:
        fail(f"cannot use the folder {current.data_dir} (setting DIFYSPEC_DATA_DIR): {error.strerror}")
    if is_new:
        typer.echo(f"difyspec: made the folder {current.data_dir.absolute()} (setting DIFYSPEC_DATA_DIR)", err=True)


@contextmanager
def opened() -> Iterator[Settings]:
    """The store opened for one command; a refusal inside becomes one line and exit code 1."""
    import store
    from store.refusal import Refusal

    current = settings()
    data_folder(current)
    try:
        store.open(current.store_url, limits=replace(current.store_limits, connections=1, statement_seconds=0))
    except Exception as error:
        reason = " ".join(str(error).split())
        fail(f"cannot open the database (setting DATABASE_URL): {reason}")
    try:
        yield current
    except Refusal as refusal:
        fail(refusal.message)
    finally:
        store.close()


def account_named(email: str) -> Account:
    """The account with this e-mail, or the command ends."""
    import store.accounts

    account = store.accounts.by_email(email)
    if account is None:
        fail(f"no account has the e-mail {email!r}; `difyspec accounts list` shows them")
    return account


def workspace_or_only(workspace_id: str) -> str:
    """The workspace with this id; for an empty one the only workspace there is. Else the command ends."""
    import store.workspaces

    found = [one.id for one in store.workspaces.for_operator_list_all()]
    if workspace_id:
        if workspace_id not in found:
            fail(f"there is no workspace {workspace_id!r}; `difyspec workspaces list EMAIL` shows them")
        return workspace_id
    if not found:
        fail("there is no workspace yet; `difyspec accounts create EMAIL` makes one with its owner", 2)
    if len(found) != 1:
        fail("name the workspace with --workspace ID (there are several); `difyspec workspaces list EMAIL`", 2)
    return found[0]


def show(rows: list[dict[str, Any]], output: Format, empty: str = "nothing to show") -> None:
    """Print rows, which have the same keys, as JSON or as a table."""
    if output is Format.json:
        emit_json(rows)
        return
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console

    from server.commands.tables import drawn

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    console.print(drawn(rows, console.width), end="")


def emit_json(value: Any) -> None:
    """Print one JSON document; times become RFC 3339 text."""
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())
