"""``difyspec keys``: changing the server's key, which encrypts secrets and signs links."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from server.commands.common import Format, Output, fail, opened, show

if TYPE_CHECKING:
    from engine.forms.links import FormLinks
    from engine.running.sealing import Sealer
    from server.settings import Settings

app = typer.Typer(
    help=(
        "Change the server's key.\n\nIt encrypts what must not be read in a database, and signs links.\n\n"
        "To change it: `keys rotate`, restart the servers, `keys rotate` again for what they sealed meanwhile, then "
        "`keys forget`. With DIFYSPEC_SECRET_KEY set, first give it the new key and DIFYSPEC_SECRET_KEY_OLD the "
        "present one, for all servers and commands. docs/operating.md says what to do without a pause, and what a new "
        "key ends."
    ),
    no_args_is_help=True,
)


@app.command()
def rotate(output: Output = Format.table) -> None:
    """Seal everything stored with a new key. May be ended at any moment and run again: it goes on.

    A key kept in the data directory is replaced by a new one and stays beside it (secret.key.old) until `keys forget`.
    Running servers know only the key that they were started with: restart them right after this.
    """
    from engine.running import resealing

    with _keys() as (current, _, _):
        if current.secret_key.get_secret_value() and not current.old_secrets():
            fail(
                "DIFYSPEC_SECRET_KEY is set. Give it a new key, and DIFYSPEC_SECRET_KEY_OLD the present one, for all "
                "servers; then run this again.",
                2,
            )
        if current.new_key_file():
            typer.echo(f"difyspec: a new key is in {current.data_dir}; the old one stays until `keys forget`", err=True)
        sealer, links = _tools(current)
        counts = resealing.rotate(sealer, links, _tell)
        show([{"what": what, "sealed": n, "lost": lost} for what, (n, lost) in counts.items()], output)
        lost = sum(lost for _, lost in counts.values())
        if lost:
            fail(f"{lost} could be opened with neither key: they were stored under yet another one")
        typer.echo("difyspec: restart the servers, run this again, and then `difyspec keys forget`", err=True)


@app.command()
def status(output: Output = Format.table) -> None:
    """Say how much is not sealed with the present key."""
    from engine.running import resealing

    with _keys() as (_, sealer, links):
        rows = [{"what": what, "under other keys": n} for what, n in resealing.under_old_keys(sealer, links).items()]
        show(rows, output)


@app.command()
def forget() -> None:
    """Forget the old key, once nothing is sealed with it any more."""
    from engine.running import resealing

    with _keys() as (current, sealer, links):
        left = sum(resealing.under_old_keys(sealer, links).values())
        if left:
            fail(f"{left} are not sealed with the present key yet; `difyspec keys rotate` does it")
        if current.forget_old_key_file():
            typer.echo("the old key is deleted; restart the servers, so that they forget it too")
        elif current.old_secrets():
            typer.echo("nothing needs DIFYSPEC_SECRET_KEY_OLD any more: unset it and restart the servers")
        else:
            typer.echo("there is no old key")


@contextmanager
def _keys() -> Iterator[tuple[Settings, Sealer, FormLinks]]:
    with opened() as current:
        yield current, *_tools(current)


def _tools(current: Settings) -> tuple[Sealer, FormLinks]:
    from engine.forms.links import FormLinks
    from engine.running.sealing import Sealer

    return Sealer(current.secret(), current.old_secrets()), FormLinks(current.secret(), current.base_url)


def _tell(what: str, done: int, of: int) -> None:
    typer.echo(f"difyspec: {what}: {done} of {of}", err=True)
