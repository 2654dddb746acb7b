"""Documents as text: plain text, Markdown, HTML and CSV, each in parts that belong together."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePath

from charset_normalizer import from_bytes

MAX_BYTES = 50 * 1024 * 1024
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_BLOCK_TAGS = """
    address article aside blockquote dd div dl dt figcaption figure footer form header li main nav ol p pre section
    table tr ul
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_SILENT = frozenset({"script", "style", "noscript", "template", "head", "svg"})


class UnreadableDocument(ValueError):
    """The document cannot be read; the text says why and what can be."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document with the headings that it stands under, outermost first.

    A ``whole`` part (a row of a table) is not to be put together with others.
    """

    text: str
    headings: tuple[str, ...] = ()
    whole: bool = False


def read(name: str, data: bytes) -> list[Part]:
    """Return the parts of a document; its name's ending tells what it is. Raises UnreadableDocument."""
    reader = _READERS.get(PurePath(name).suffix.lower())
    if reader is None:
        raise UnreadableDocument(f"{name}: documents are read from {', '.join(sorted(_READERS))}")
    if len(data) > MAX_BYTES:
        raise UnreadableDocument(f"{name}: larger than {MAX_BYTES // 1024 // 1024} MB")
    return [part for part in reader(_decoded(name, data)) if part.text.strip()]


def _decoded(name: str, data: bytes) -> str:
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableDocument(f"{name}: is not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(data).best()
        if best is None:
            raise UnreadableDocument(f"{name}: its character set is not known; save it as UTF-8") from None
        return str(best)


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


def _html(text: str) -> Iterator[Part]:
    found = _Html()
    found.feed(text)
    found.close()
    yield from found.parts()


class _Html(HTMLParser):
    """Collects the text that a reader would see."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._parts: list[Part] = []
        self._headings: list[tuple[int, str]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif _level(tag):
            self._close()
        elif tag in _BLOCKS:
            self._lines.append("\n\n")
        elif tag in ("br", "td", "th"):
            self._lines.append("\n" if tag == "br" else " ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif level := _level(tag):
            title, self._lines = _spaced("".join(self._lines)), []
            self._headings = [*(one for one in self._headings if one[0] < level), (level, title)]
        elif tag in _BLOCKS:
            self._lines.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._lines.append(re.sub(r"\s+", " ", data))

    def parts(self) -> list[Part]:
        self._close()
        return self._parts

    def _close(self) -> None:
        self._parts.append(Part(_spaced("".join(self._lines)), tuple(title for _, title in self._headings)))
        self._lines = []


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def _spaced(text: str) -> str:
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


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
    ".html": _html,
    ".htm": _html,
    ".csv": _csv,
}
ENDINGS = tuple(sorted(_READERS))
