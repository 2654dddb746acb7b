"""How the value of a secret may be spelled where it shows: as it is, and in the codes that programs put text in."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from urllib.parse import quote, quote_plus

import orjson

# Shorter values would blank out ordinary words and hide nothing.
SHORTEST = 4
# Only a value of this length is looked for in other cases, as hexadecimal, and within base64.
_LONG = 8
# A longer value is looked for in pieces of about this length; of more pieces only the plain spellings are.
_PIECE, _MANY = 500, 50
_JINJA_JSON = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"}


class Spellings:
    """All ways in which some secrets may be spelled. ``forms`` are the texts to look for, the longest first: one that
    contains another must not leave its tail behind.
    """

    def __init__(self, secrets: tuple[str, ...]) -> None:
        # The end of a line belongs to how a value was written down, and programs take it off. Values that are too short
        # to be kept secret so are left out.
        pieces = [piece for one in secrets if len(one.strip()) >= SHORTEST for piece in _pieces(one.strip())]
        found = {form for piece in pieces for form in _plain(piece)}
        if len(pieces) <= _MANY:
            found |= {form for piece in pieces for form in _elaborate(piece)}
        self.forms = sorted(found, key=len, reverse=True)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds one, the longest of those that begin at a place."""
        return re.compile("|".join(map(re.escape, self.forms)))

    @cached_property
    def written(self) -> list[str]:
        """The forms as they stand in JSON."""
        return [orjson.dumps(form).decode()[1:-1] for form in self.forms]

    @cached_property
    def by_first(self) -> dict[str, list[str]]:
        """The forms by the letter that they begin with."""
        found: dict[str, list[str]] = {}
        for form in self.forms:
            found.setdefault(form[0], []).append(form)
        return found

    def in_text(self, text: str) -> bool:
        """Whether one is in the text."""
        return any(form in text for form in self.forms)


@lru_cache(maxsize=64)
def spellings(secrets: tuple[str, ...]) -> Spellings:
    """Return the spellings of some secrets; an app's are the same in each of its runs."""
    return Spellings(secrets)


def _pieces(secret: str) -> list[str]:
    """A long value in pieces: each is looked for by itself, so that looking takes no longer with its length."""
    count = max(1, len(secret) // _PIECE)
    size = -(-len(secret) // count)
    pieces = [secret[start : start + size] for start in range(0, len(secret), size)]
    return [piece for piece in pieces if len(piece) >= _LONG] or pieces


def _plain(secret: str) -> Iterator[str]:
    quoted = _quoted(secret, ascii_only=False)
    # An error text may quote a value that was already JSON: its escapes are escaped again.
    yield from (secret, quoted, _quoted(quoted, ascii_only=False))
    yield base64.b64encode(secret.encode("utf-8", "replace")).decode()


def _elaborate(secret: str) -> Iterator[str]:
    cases = {secret}
    if len(secret) >= _LONG:
        cases |= {secret.upper(), secret.lower()}
        yield from _in_bytes(secret.encode("utf-8", "replace"))
    for one in cases:
        yield one
        yield from _coded(one)


def _coded(text: str) -> Iterator[str]:
    yield from (
        quote(text, safe="", errors="replace"),
        quote(text, errors="replace"),
        quote_plus(text, errors="replace"),
    )
    for entities in (html.escape(text), html.escape(text, quote=False)):
        # Jinja writes quotes as numbers.
        yield from (entities, entities.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    for ascii_only in (True, False):
        quoted = _quoted(text, ascii_only)
        # An error text may quote a value that was already JSON: its escapes are escaped again.
        yield from (quoted, _quoted(quoted, ascii_only))
        for sign, escape in _JINJA_JSON.items():
            quoted = quoted.replace(sign, escape)
        yield quoted


def _quoted(text: str, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _in_bytes(value: bytes) -> Iterator[str]:
    yield value.hex()
    yield value.hex().upper()
    # Within a longer text, such as "user:password": three ways, by how many bytes stand before it. The signs at
    # both ends that its neighbours have a part in are left out.
    for before in range(3):
        signs = base64.b64encode(bytes(before) + value).decode()
        inner = signs[(0, 2, 3)[before] : (before + len(value)) * 8 // 6]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
