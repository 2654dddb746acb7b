"""Datasets, and the segments of their documents."""

from __future__ import annotations

from typing import Any

from pony.orm import LongStr, Optional, PrimaryKey, Required


def declare(base: Any) -> None:
    """Define the entities on ``base``, the ``Entity`` of a database."""

    class Dataset(base):
        _table_ = "datasets"
        id = PrimaryKey(str)
        workspace_id = Required(str)
        name = Required(str, autostrip=False)
        name_key = Required(str, autostrip=False)
        description = Optional(str, autostrip=False)
        created_at = Required(int, size=64)

    class DatasetAlias(base):
        _table_ = "dataset_aliases"
        workspace_id = Required(str)
        alias = Required(str, autostrip=False)
        dataset_id = Required(str)
        PrimaryKey(workspace_id, alias)

    class Document(base):
        _table_ = "documents"
        id = PrimaryKey(str)
        dataset_id = Required(str)
        name = Required(str, autostrip=False)
        segment_count = Required(int)
        word_count = Required(int)
        created_at = Required(int, size=64)

    class Segment(base):
        _table_ = "segments"
        id = PrimaryKey(str)
        dataset_id = Required(str)
        document_id = Required(str)
        position = Required(int)
        content = Required(LongStr, autostrip=False)
        words = Optional(LongStr, autostrip=False)
        word_count = Required(int)
