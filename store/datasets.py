"""Datasets: named collections of documents in a workspace, for apps to look things up in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from store import db, sql, words
from store.clock import current_ids, from_micros, now_micros
from store.refusal import Refusal

MAX_NAME = 40
_SHOWN = (
    "SELECT d.id, d.workspace_id, d.name, d.description, d.created_at,"
    " (SELECT count(*) FROM documents x WHERE x.dataset_id = d.id),"
    " (SELECT count(*) FROM segments x WHERE x.dataset_id = d.id) FROM datasets d"
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset. ``aliases`` are further ids by which apps name it, from the servers they came from."""

    id: str
    workspace_id: str
    name: str
    description: str
    created_at: datetime
    documents: int
    segments: int
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a dataset; ``name`` is unique in it."""

    id: str
    dataset_id: str
    name: str
    segments: int
    words: int
    created_at: datetime


@db.writes
def create(workspace_id: str, name: str, *, description: str = "", aliases: Sequence[str] = ()) -> Dataset:
    """Make an empty dataset.

    Errors: ``invalid_param`` for a name of more than 40 characters or none, ``conflict`` for a name or an alias
    that another dataset of the workspace has.
    """
    clean = sql.text(name).strip()
    if not clean or len(clean) > MAX_NAME:
        raise Refusal("invalid_param", f"a dataset's name has 1 to {MAX_NAME} characters")
    if sql.row("SELECT id FROM datasets WHERE workspace_id = ? AND name_key = ?", workspace_id, clean.casefold()):
        raise Refusal("conflict", f"there is a dataset {clean!r} already")
    dataset_id = current_ids().uuid7()
    sql.change(
        "INSERT INTO datasets (id, workspace_id, name, name_key, description, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        dataset_id,
        workspace_id,
        clean,
        clean.casefold(),
        sql.text(description),
        now_micros(),
    )
    for alias in dict.fromkeys(sql.text(one).strip() for one in aliases):
        add_alias(dataset_id, alias)
    return _shown(dataset_id)


@db.writes
def add_alias(dataset_id: str, alias: str) -> None:
    """Let apps name a dataset by another id too. Errors: ``not_found``, ``conflict`` when it means another one."""
    found = _shown(dataset_id)
    taken = sql.row(
        "SELECT dataset_id FROM dataset_aliases WHERE workspace_id = ? AND alias = ?", found.workspace_id, alias
    )
    if taken and taken[0] != dataset_id:
        raise Refusal("conflict", f"{alias!r} already means the dataset {_shown(taken[0]).name!r}")
    if not taken:
        sql.change(
            "INSERT INTO dataset_aliases (workspace_id, alias, dataset_id) VALUES (?, ?, ?)",
            found.workspace_id,
            alias,
            dataset_id,
        )


@db.reads
def named(workspace_id: str, name: str) -> Dataset | None:
    """The dataset of a workspace with this name (in any case), id or alias."""
    found = sql.row(
        "SELECT id FROM datasets WHERE workspace_id = ? AND (name_key = ? OR id = ?)"
        " UNION SELECT dataset_id FROM dataset_aliases WHERE workspace_id = ? AND alias = ?",
        workspace_id,
        sql.text(name).strip().casefold(),
        sql.uuid_or_none(name) or "",
        workspace_id,
        sql.text(name),
    )
    return _shown(found[0]) if found else None


@db.reads
def of_app(app_id: str, name: str) -> Dataset | None:
    """The dataset that an app means by an id: one of its own workspace, else None."""
    found = sql.row("SELECT workspace_id FROM apps WHERE id = ?", app_id)
    return named(found[0], name) if found else None


@db.reads
def of_workspace(workspace_id: str) -> list[Dataset]:
    """The datasets of a workspace, by name."""
    found = sql.rows("SELECT id FROM datasets WHERE workspace_id = ? ORDER BY name_key", workspace_id)
    return [_shown(one[0]) for one in found]


@db.writes
def delete(dataset_id: str) -> bool:
    """Delete a dataset with its documents; out: whether there was one."""
    # The documents by a statement of their own: their index goes with them.
    sql.change("DELETE FROM documents WHERE dataset_id = ?", dataset_id)
    return sql.change("DELETE FROM datasets WHERE id = ?", dataset_id) == 1


def put_document(dataset_id: str, name: str, contents: Iterable[str]) -> Document:
    """Store a document's segments, in place of an earlier document of that name; all or nothing.

    Errors: ``not_found`` for an unknown dataset, ``invalid_param`` for a document without text.
    """
    clean = sql.text(name)[:255]
    pieces = [text for text in (sql.text(one).strip() for one in contents) if text]
    if not pieces:
        raise Refusal("invalid_param", f"{clean} has no text")
    # Before the transaction: nobody else can write while it lasts.
    return _put(dataset_id, clean, pieces, [words.indexed(piece) for piece in pieces])


@db.writes
def _put(dataset_id: str, clean: str, pieces: list[str], found: list[list[str]]) -> Document:
    _shown(dataset_id)
    sql.change("DELETE FROM documents WHERE dataset_id = ? AND name = ?", dataset_id, clean)
    document_id, now = current_ids().uuid7(), now_micros()
    total = sum(len(one) for one in found)
    sql.change(
        "INSERT INTO documents (id, dataset_id, name, segment_count, word_count, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        document_id,
        dataset_id,
        clean,
        len(pieces),
        total,
        now,
    )
    for position, (piece, its) in enumerate(zip(pieces, found, strict=True), 1):
        sql.change(
            "INSERT INTO segments (id, dataset_id, document_id, position, content, words, word_count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            current_ids().uuid7(),
            dataset_id,
            document_id,
            position,
            piece,
            " ".join(its),
            len(its),
        )
    return Document(document_id, dataset_id, clean, len(pieces), total, from_micros(now))


@db.reads
def documents(dataset_id: str) -> list[Document]:
    """The documents of a dataset, by name."""
    found = sql.rows(
        "SELECT id, dataset_id, name, segment_count, word_count, created_at FROM documents"
        " WHERE dataset_id = ? ORDER BY name",
        dataset_id,
    )
    return [Document(*sql.converted(one, {5: from_micros})) for one in found]


@db.writes
def delete_document(dataset_id: str, name: str) -> bool:
    """Delete a document by its name; out: whether there was one."""
    return sql.change("DELETE FROM documents WHERE dataset_id = ? AND name = ?", dataset_id, name) == 1


def _shown(dataset_id: str) -> Dataset:
    found = sql.row(f"{_SHOWN} WHERE d.id = ?", dataset_id)
    if found is None:
        raise Refusal("not_found", "there is no such dataset")
    aliases = sql.rows("SELECT alias FROM dataset_aliases WHERE dataset_id = ? ORDER BY alias", dataset_id)
    return Dataset(*sql.converted((*found, tuple(one[0] for one in aliases)), {4: from_micros}))
