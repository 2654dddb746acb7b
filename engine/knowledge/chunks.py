"""Cutting documents into segments: small enough to be told to a model, cut where the text has a joint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from engine.knowledge.part import Part

MAX_CHARACTERS = 1000
_OVERLAP = 100
# From the best joint to the worst: paragraphs, lines, sentences, words. Each piece keeps its joint.
_JOINTS = (
    re.compile(r"(?<=\n)\n+"),
    re.compile(r"(?<=\n)"),
    re.compile(r"(?<=[.!?;])(?=\s)|(?<=[。！？；])"),
    re.compile(r"(?<=\s)(?=\S)"),
)


def chunks(parts: Iterable[Part], limit: int = MAX_CHARACTERS) -> list[str]:
    """Return the segments of a document, each of at most ``limit`` characters and the headings before it."""
    return [text for part in parts for text in _of_part(part, limit)]


def _of_part(part: Part, limit: int) -> Iterator[str]:
    above = " > ".join(heading for heading in part.headings if heading)[:200]
    for text in _cut(part.text.strip(), limit):
        yield f"{above}\n\n{text}" if above else text


def _cut(text: str, limit: int) -> Iterator[str]:
    """Pieces put together as long as they fit; the end of one is the beginning of the next, where a sentence
    would be torn."""
    held = ""
    for piece in _pieces(text, limit, 0):
        if held and len(held) + len(piece) > limit:
            yield held.strip()
            tail = _tail(held)
            held = tail if len(tail) + len(piece) <= limit else ""
        held += piece
    if held.strip():
        yield held.strip()


def _pieces(text: str, limit: int, joint: int) -> Iterator[str]:
    if len(text) <= limit:
        yield text
    elif joint == len(_JOINTS):
        for start in range(0, len(text), limit):
            yield text[start : start + limit]
    else:
        for piece in _split(text, _JOINTS[joint]):
            yield from _pieces(piece, limit, joint + 1)


def _split(text: str, joint: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for found in joint.finditer(text):
        if found.end() > start:
            yield text[start : found.end()]
            start = found.end()
    if start < len(text):
        yield text[start:]


def _tail(text: str) -> str:
    """The last sentences of a segment, unless it ends with a paragraph."""
    if text.endswith("\n"):
        return ""
    tail = text[-_OVERLAP:]
    joint = _JOINTS[2].search(tail)
    return tail[joint.end() :].lstrip() if joint else ""
