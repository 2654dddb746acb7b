"""What a document is read as: pieces of text, each under its headings."""

from __future__ import annotations

from dataclasses import dataclass


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
