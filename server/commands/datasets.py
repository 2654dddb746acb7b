"""``difyspec datasets``: documents that apps look things up in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.commands.common import Format, Output, fail, opened, show, workspace_or_only

if TYPE_CHECKING:
    from store.datasets import Dataset

app = typer.Typer(
    help=(
        "Documents that apps look things up in. Each dataset belongs to a workspace and is searched by full text.\n\n"
        "An app that comes from elsewhere names its datasets by ids of its old server; "
        "`difyspec datasets create NAME --for ID` lets such an id mean a dataset of this one."
    ),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="the dataset's name or id")]
Workspace = Annotated[str, typer.Option("--workspace", help="id; default: the only workspace")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="its name, once in a workspace")],
    alias: Annotated[list[str] | None, typer.Option("--for", help="an id by which apps name it; repeatable")] = None,
    description: Annotated[str, typer.Option(help="what is in it")] = "",
    workspace: Workspace = "",
    output: Output = Format.table,
) -> None:
    """Make an empty dataset, or let a further id mean one that is there."""
    from store import datasets

    with opened():
        where = workspace_or_only(workspace)
        one = datasets.named(where, name)
        if one is not None and alias:
            for other in alias:
                datasets.add_alias(one.id, other)
        else:
            datasets.create(where, name, description=description, aliases=alias or ())
        show([_row(_existing(where, name))], output)


@app.command("import")
def import_documents(
    name: Name,
    files: Annotated[
        list[Path],
        typer.Argument(help="text, md, html, csv, json, pdf, docx, xlsx… files, or folders of them", exists=True),
    ],
    workspace: Workspace = "",
    output: Output = Format.table,
) -> None:
    """Take documents into a dataset; one of the same name is replaced. Nothing is stored if one cannot be read."""
    from engine.files.config import FileConfig
    from engine.knowledge.chunks import chunks
    from engine.knowledge.part import UnreadableDocument
    from engine.knowledge.readers import read
    from store import datasets

    with opened():
        one = _existing(workspace_or_only(workspace), name)
        loaded, problems = [], []
        reader = FileConfig().document_reader()
        for shown, path in _documents(files):
            try:
                found = chunks(read(shown, path.read_bytes(), reader))
            except (UnreadableDocument, OSError) as error:
                problems.append(str(error))
                continue
            loaded.append((shown, found))
            if not found:
                problems.append(f"{shown}: has no text")
            elif sum(other == shown for other, _ in loaded) > 1:
                problems.append(f"{shown}: there are two of this name")
        if problems or not loaded:
            fail("nothing was imported:\n  " + "\n  ".join(problems or ["no document there"]))
        made = [datasets.put_document(one.id, shown, found) for shown, found in loaded]
        show([{"document": d.name, "segments": d.segments, "words": d.words} for d in made], output)


@app.command("list")
def list_datasets(
    name: Annotated[str, typer.Argument(help="show the documents of this one")] = "",
    workspace: Workspace = "",
    output: Output = Format.table,
) -> None:
    """The datasets of a workspace, or the documents of one."""
    from store import datasets

    with opened():
        where = workspace_or_only(workspace)
        if name:
            found = datasets.documents(_existing(where, name).id)
            rows = [{"document": d.name, "segments": d.segments, "words": d.words} for d in found]
            show(rows, output, "no documents yet; `difyspec datasets import NAME FILE` brings some in")
            return
        rows = [_row(one) for one in datasets.of_workspace(where)]
        show(rows, output, "no datasets yet; `difyspec datasets create NAME` makes one")


@app.command()
def search(
    name: Name,
    question: Annotated[str, typer.Argument(help="what an app would ask")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 4,
    workspace: Workspace = "",
    output: Output = Format.table,
) -> None:
    """Show what an app would find."""
    from store import dataset_search

    with opened():
        hits = dataset_search.search([_existing(workspace_or_only(workspace), name).id], question, limit=limit)
        rows = [{"score": hit.score, "document": hit.document_name, "content": hit.content} for hit in hits]
        show(rows, output, "nothing found")


@app.command()
def delete(
    name: Name,
    document: Annotated[str, typer.Option(help="only this document of it")] = "",
    workspace: Workspace = "",
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Delete a dataset with its documents, or one document."""
    from store import datasets

    with opened():
        one = _existing(workspace_or_only(workspace), name)
        if not yes:
            typer.confirm(f"Delete {document or f'{one.name} and its {one.documents} documents'}?", abort=True)
        if document and not datasets.delete_document(one.id, document):
            fail(f"{one.name} has no document {document!r}; `difyspec datasets list {one.name!r}` shows them")
        if not document:
            datasets.delete(one.id)
        typer.echo("deleted")


def _row(one: Dataset) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "documents": one.documents,
        "segments": one.segments,
        "also": one.aliases,
    }


def _existing(workspace_id: str, name: str) -> Dataset:
    from store import datasets

    found = datasets.named(workspace_id, name)
    if found is None:
        fail(f"there is no dataset {name!r}; `difyspec datasets list` shows them")
    return found


def _documents(paths: list[Path]) -> list[tuple[str, Path]]:
    """Each file with the name it is shown by: within a folder its path in it."""
    from engine.knowledge.readers import ENDINGS

    found: list[tuple[str, Path]] = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in ENDINGS)
        found += [(str(p.relative_to(path)), p) for p in inside] if path.is_dir() else [(path.name, path)]
    return found
