"""Documents that are text: plain, tables, JSON, HTML, mail. Only the standard library is needed to begin."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import re
import unicodedata
from collections.abc import Iterable
from email.message import EmailMessage
from html.parser import HTMLParser

_SAMPLE = 200_000  # bytes that are enough to tell an unknown encoding
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_LONGEST_RUN = 1.6  # on average: an accent stands alone, other alphabets write whole words so
_WIDE = ("utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le")
_WESTERN_SIGNS = "‘’“”„–—…•«»‹›€£§°¿¡\xa0"
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre",
    "section", "table", "tr", "ul",
})  # fmt: skip
_HIDDEN = frozenset({"script", "style", "template", "noscript", "head"})


class Unreadable(ValueError):
    """The document is not what it says, or cannot be read; the text says why."""


def decoded(content: bytes) -> str:
    """The text of a file whose encoding nobody told: by its mark, as UTF-8, else by what fits best."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode(guessed(content) or "latin-1", "replace")


def guessed(content: bytes) -> str | None:
    """The encoding that fits best; None if none does.

    A short text says too little: a few accents among plain letters are taken for another alphabet. A guess that
    mixes alphabets so is wrong where the Western one makes letters of the same bytes, which stand alone or in pairs.
    """
    from charset_normalizer import from_bytes

    sample = content[:_SAMPLE]
    # Without a mark, only zero bytes tell a text of two or four bytes a letter from any other of even length.
    best = from_bytes(sample, cp_exclusion=[] if b"\0" in sample else list(_WIDE)).best()
    if best is None:
        return None
    foreign = any(c.isalpha() and not unicodedata.name(c, "LATIN").startswith("LATIN") for c in str(best))
    return "cp1252" if foreign and _is_western(sample) else best.encoding


def _is_western(sample: bytes) -> bool:
    """Whether what is not ASCII is letters or signs in cp1252, and in runs as short as those of accents."""
    western = sample.decode("cp1252", "replace")
    runs = [len(run) for run in _BEYOND_ASCII.findall(sample)]
    readable = all(c.isalpha() or c in _WESTERN_SIGNS for c in western if not c.isascii())
    return readable and sum(runs) <= _LONGEST_RUN * len(runs)


def plain(content: bytes) -> str:
    """The text as it stands."""
    return decoded(content)


def from_csv(content: bytes) -> str:
    """A Markdown table."""
    text = decoded(content)
    try:
        dialect: type[csv.Dialect] | str = csv.Sniffer().sniff(text[:10_000], delimiters=",;\t|")
    except csv.Error:
        dialect = "excel"
    try:
        return table(csv.reader(io.StringIO(text), dialect))
    except csv.Error as error:
        raise Unreadable(f"The table cannot be read: {error}") from None


def from_json(content: bytes) -> str:
    """The value, indented."""
    try:
        return json.dumps(json.loads(decoded(content)), indent=2, ensure_ascii=False)
    except json.JSONDecodeError as error:
        raise Unreadable(f"The file is not valid JSON: {error}") from None
    except RecursionError:
        raise Unreadable("The JSON in the file is nested too deeply") from None
    except ValueError:
        raise Unreadable("A number in the JSON of the file is too long") from None


def from_html(content: bytes) -> str:
    """What a reader of the page sees: its text, a line for each block."""
    reader = _Page()
    reader.feed(decoded(content))
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def from_mail(content: bytes) -> str:
    """Who wrote to whom about what, and the text."""
    message = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
    heads = [f"{name}: {message[name]}" for name in ("From", "To", "Date", "Subject") if message[name]]
    body = message.get_body(("plain", "html"))
    text = ""
    if body is not None:
        raw = body.get_payload(decode=True)
        found = raw if isinstance(raw, bytes) else b""
        text = from_html(found) if body.get_content_subtype() == "html" else decoded(found)
    return "\n".join([*heads, "", text])


def table(rows: Iterable[Iterable[object]]) -> str:
    """Rows as a Markdown table, the first one its head; rows without a value are left out."""
    kept = [[" ".join(str("" if cell is None else cell).split()) for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    if not kept:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in kept]
    lines.insert(1, f"| {' | '.join('---' for _ in kept[0])} |")
    return "\n".join(lines)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" | " if self.parts and not self.parts[-1].endswith("\n") else "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        # A page that never closes its head shows its body all the same.
        self._hidden = 0 if tag in ("html", "head") else self._hidden
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
