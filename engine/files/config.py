"""What an operator decides about files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from engine.documents.pool import DocumentReader
from engine.files.kinds import FileLimits


@dataclass(frozen=True, slots=True)
class FileConfig:
    """``storage``: ``s3://bucket/prefix``, or empty for ``folder``. ``api_url`` is where links lead.
    Links that were signed with one of ``old_secrets`` still open.
    The text of a document is read within ``document_seconds`` and ``document_memory_bytes``.
    ``quota_bytes``: what one person's unused uploads may take together, 0 for any amount.
    ``unused_for``: how long an upload waits for a run; ``kept_for``: how long a used one stays, None for good.
    """

    folder: Path = Path(".difyspec/files")
    storage: str = ""
    secret: str = field(default="not a secret: tests only", repr=False)
    old_secrets: tuple[str, ...] = field(default=(), repr=False)
    api_url: str = "http://127.0.0.1:8000/openapi/v1"
    link_seconds: int = 3600
    limits: FileLimits = field(default_factory=FileLimits)
    unused_for: timedelta = timedelta(days=1)
    kept_for: timedelta | None = None
    quota_bytes: int = 0
    document_seconds: float = 30
    document_memory_bytes: int = 512 * 1024 * 1024
    document_characters: int = 2_000_000

    def document_reader(self) -> DocumentReader:
        """Return a reader of documents with these bounds."""
        return DocumentReader(
            seconds=self.document_seconds, memory_bytes=self.document_memory_bytes, limit=self.document_characters
        )
