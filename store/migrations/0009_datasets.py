"""Datasets: documents, cut into segments, and an index over the segments' words.

The tables are the same on both databases; only the index is each one's own (SQLite FTS5, PostgreSQL GIN).
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

from yoyo import step

__depends__ = {"0008_file_owners"}

TABLES = (
    """CREATE TABLE datasets (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL,
        description TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )""",
    "CREATE UNIQUE INDEX datasets_by_name ON datasets (workspace_id, name_key)",
    """CREATE TABLE dataset_aliases (
        workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
        alias TEXT NOT NULL,
        dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
        PRIMARY KEY (workspace_id, alias)
    )""",
    "CREATE INDEX dataset_aliases_of ON dataset_aliases (dataset_id)",
    """CREATE TABLE documents (
        id TEXT PRIMARY KEY,
        dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        segment_count INTEGER NOT NULL,
        word_count INTEGER NOT NULL,
        created_at BIGINT NOT NULL
    )""",
    "CREATE UNIQUE INDEX documents_by_name ON documents (dataset_id, name)",
    """CREATE TABLE segments (
        id TEXT PRIMARY KEY,
        dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
        document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        content TEXT NOT NULL,
        words TEXT NOT NULL,
        word_count INTEGER NOT NULL
    )""",
    "CREATE INDEX segments_of_document ON segments (document_id)",
    "CREATE INDEX segments_of_dataset ON segments (dataset_id)",
)
SQLITE = (
    "CREATE VIRTUAL TABLE segment_words USING fts5 (words, segment_id UNINDEXED, document_id UNINDEXED)",
    """CREATE TRIGGER segment_added AFTER INSERT ON segments BEGIN
        INSERT INTO segment_words (words, segment_id, document_id) VALUES (new.words, new.id, new.document_id);
    END""",
    # One look through the index for a document, not one for each of its segments.
    """CREATE TRIGGER document_deleted AFTER DELETE ON documents BEGIN
        DELETE FROM segment_words WHERE document_id = old.id;
    END""",
)
POSTGRES = ("CREATE INDEX segment_words ON segments USING gin (to_tsvector('simple', words))",)


def _apply(connection: Any) -> None:
    own = SQLITE if isinstance(connection, sqlite3.Connection) else POSTGRES
    _each(connection, (*TABLES, *own))


def _undo(connection: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        _each(connection, ("DROP TABLE segment_words",))
    _each(connection, [f"DROP TABLE {name}" for name in ("segments", "documents", "dataset_aliases", "datasets")])


def _each(connection: Any, statements: Iterable[str]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)


steps = [step(_apply, _undo)]
