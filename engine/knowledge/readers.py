"""Documents in parts that belong together.

Plain text, Markdown, HTML and CSV are read here, for their headings and rows; what is read by libraries (PDF, Office)
by the confined reader.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

from engine.documents.pool import DocumentReader
from engine.documents.texts import guessed
from engine.knowledge import confined
from engine.knowledge.part import Part, UnreadableDocument
from engine.knowledge.web_page import from_html

MAX_BYTES = 50 * 1024 * 1024
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")


def read(name: str, data: bytes, reader: DocumentReader) -> list[Part]:
    """Return the parts of a document; its name's ending tells what it is. Raises UnreadableDocument."""
    ending = PurePath(name).suffix.lower()
    if ending not in ENDINGS:
        raise UnreadableDocument(f"{name}: documents are read from {', '.join(ENDINGS)}")
    if len(data) > MAX_BYTES:
        raise UnreadableDocument(f"{name}: larger than {MAX_BYTES // 1024 // 1024} MB")
    ours = _READERS.get(ending)
    found = ours(_decoded(name, data)) if ours else confined.parts(name, data, ending, reader)
    return [part for part in found if part.text.strip()]


def _decoded(name: str, data: bytes) -> str:
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableDocument(f"{name}: is not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        encoding = guessed(data)
        if encoding is None:
            raise UnreadableDocument(f"{name}: its character set is not known; save it as UTF-8") from None
        return data.decode(encoding, "replace")


def _plain(text: str) -> Iterator[Part]:
    yield Part(text)


def _markdown(text: str) -> Iterator[Part]:
    headings: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        found = None if fenced else _HEADING.fullmatch(line)
        if found is None:
            lines.append(line)
            continue
        yield Part("\n".join(lines), tuple(title for _, title in headings))
        lines, level = [], len(found[1])
        headings = [*((depth, title) for depth, title in headings if depth < level), (level, found[2])]
    yield Part("\n".join(lines), tuple(title for _, title in headings))


def _csv(text: str) -> Iterator[Part]:
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:4096], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = csv.reader(io.StringIO(text, newline=""), dialect)
    try:
        header = next(rows, [])
        for row in rows:
            named = [(header[n] if n < len(header) else "", value.strip()) for n, value in enumerate(row)]
            cells = (f"{name}: {value}" if name else value for name, value in named if value)
            yield Part("\n".join(cells), whole=True)
    except csv.Error as error:
        raise UnreadableDocument(f"the table cannot be read: {error}") from None


_READERS: dict[str, Callable[[str], Iterator[Part]]] = {
    ".txt": _plain,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": from_html,
    ".htm": from_html,
    ".csv": _csv,
}
ENDINGS = tuple(sorted({*_READERS, *confined.ENDINGS}))
