"""How the value of a secret may be spelled where it shows: as it is, and in the codes that programs put text in."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

# Shorter values would blank out ordinary words and hide nothing.
SHORTEST = 4
# Only a value of this length is looked for in other cases, as hexadecimal, and within base64.
_LONG = 8
_JINJA_JSON = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"}


def forms_of(secrets: Iterable[str]) -> list[str]:
    """Return the texts to look for, the longest first: one that contains another must not leave its tail behind."""
    return sorted({form for one in secrets for form in _forms(one)}, key=len, reverse=True)


def _forms(secret: str) -> set[str]:
    """Return how one may be spelled; nothing for a value that is too short to be kept secret so."""
    # The end of a line belongs to how it was written down, and programs take it off.
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return set()
    found = {secret, base64.b64encode(secret.encode("utf-8", "replace")).decode()}
    if len(secret) >= _LONG:
        found |= {secret.upper(), secret.lower(), *_in_bytes(secret.encode("utf-8", "replace"))}
    found |= {coded for one in (secret, secret.upper(), secret.lower()) if one in found for coded in _coded(one)}
    return found


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
