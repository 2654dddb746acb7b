"""Pages of HTML as the text that a person sees, in sections under their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from engine.knowledge.part import Part

_BLOCK_TAGS = """
    address article aside blockquote dd div dl dt figcaption figure footer form header li main nav ol p pre section
    table tr ul
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_SILENT = frozenset({"script", "style", "noscript", "template", "head", "svg"})


def from_html(text: str) -> Iterator[Part]:
    """Yield what a reader of the page sees, in sections."""
    found = _Html()
    found.feed(text)
    found.close()
    yield from found.parts()


class _Html(HTMLParser):
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
