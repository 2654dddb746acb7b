"""Documents that libraries read, each in a throw-away process: their text, and the rows of their tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from engine.documents.pool import DocumentReader, DocumentRefused
from engine.knowledge.part import Part, UnreadableDocument
from engine.running.cancel import CancelToken

_SHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".ods"})
ENDINGS = _SHEETS | {".pdf", ".docx", ".pptx", ".odt", ".epub", ".eml", ".json", ".tsv"}


def parts(name: str, data: bytes, ending: str, reader: DocumentReader) -> Iterator[Part]:
    """Yield the parts of a document, each row of a table by itself. Raises UnreadableDocument."""
    try:
        text = reader.text([data], ending.removeprefix("."), CancelToken())
    except DocumentRefused as error:
        raise UnreadableDocument(f"{name}: {error}") from None
    heading = ""
    for is_table, group in groupby(text.splitlines(), _in_table):
        lines = list(group)
        if is_table and len(lines) > 1 and set(_cells(lines[1])) == {"---"}:
            yield from _rows(lines, (heading,) if heading else ())
        elif ending in _SHEETS:
            heading = "\n".join(lines).strip()  # what stands above a sheet is its name
        else:
            yield Part("\n".join(lines))


def _in_table(line: str) -> bool:
    return line.startswith("| ") and line.endswith(" |")


def _cells(line: str) -> list[str]:
    return line[2:-2].split(" | ")


def _rows(lines: list[str], headings: tuple[str, ...]) -> Iterator[Part]:
    """The rows with the names of their columns, unless a cell holds what parts the others."""
    names, rows = _cells(lines[0]), [_cells(line) for line in lines[2:]]
    if not rows:
        yield Part("\n".join(names), headings, whole=True)
    for cells in rows:
        if len(cells) == len(names):
            cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell]
        yield Part("\n".join(cells), headings, whole=True)
