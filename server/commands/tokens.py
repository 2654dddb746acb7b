"""``difyspec tokens``: bearer tokens without a device, for scripts, tests and external subjects."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from server.commands.common import Format, Output, account_named, emit_json, fail, opened, show

app = typer.Typer(help="Bearer tokens without a browser.", no_args_is_help=True)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="whose token")],
    label: Annotated[str, typer.Option(help="device label; the same label again replaces the token")] = "command line",
    client_id: Annotated[str, typer.Option(help="client the token is for")] = "difyspec",
    days: Annotated[int, typer.Option(min=0, max=365, help="life in days; 0: the server's setting")] = 0,
    external: Annotated[str, typer.Option(help="issuer URL: the e-mail is an external subject (dfoe_ token)")] = "",
    output: Output = Format.table,
) -> None:
    """Mint a token and print it, once. It is stored as a hash and cannot be shown again."""
    import store.sessions

    with opened() as settings:
        ttl = timedelta(days=days or settings.token_ttl_days)
        account = None if external else account_named(email)
        token, session = store.sessions.mint(
            account_id=account.id if account else None,
            email=account.email if account else email,
            issuer=external or None,
            client_id=client_id,
            device_label=label,
            ttl=ttl,
        )
        if output is Format.json:
            emit_json({"token": token, "id": session.id, "expires_at": session.expires_at})
        else:
            typer.echo(token)


@app.command("list")
def list_tokens(email: Annotated[str, typer.Argument(help="whose sessions")], output: Output = Format.table) -> None:
    """The live sessions of an account."""
    import store.session_list

    with opened():
        rows = store.session_list.for_account(account_named(email).id)
        show(
            [{"id": r.id, "client": r.client_id, "label": r.device_label, "expires": r.expires_at} for r in rows],
            output,
        )


@app.command()
def revoke(
    email: Annotated[str, typer.Argument(help="whose session")],
    session_id: Annotated[str, typer.Argument(help="its id, or 'all'")],
) -> None:
    """End a session now."""
    import store.session_list

    with opened():
        account = account_named(email)
        if session_id == "all":
            store.session_list.revoke_all(account.id)
        elif not store.session_list.revoke_for_account(account.id, session_id):
            fail(f"{email} has no session {session_id}")
        typer.echo("revoked")
