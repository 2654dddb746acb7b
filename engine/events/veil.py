"""Keeping secrets out of text that is told in pieces."""

from __future__ import annotations

from collections.abc import Iterable

from engine.events.masking import MASK
from engine.events.spellings import spellings


class Veil:
    """Takes secrets out of text that comes in pieces: the possible beginning of one is kept back until it is known.

    What it lets through is what `engine.events.masking.Mask` makes of the whole text.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._spellings = spellings(tuple(secrets))
        self._kept = ""

    def __bool__(self) -> bool:
        return bool(self._spellings.forms)

    def pass_on(self, piece: str) -> str:
        """Return what can be shown now."""
        shown: list[str] = []
        text, place = self._kept + piece, 0
        holds = self._spellings.in_text(text)
        while True:
            begun = self._begin(text, place)
            found = self._spellings.pattern.search(text, place) if holds else None
            # What has begun before, or at the same place, may become something longer.
            if found is None or begun <= found.start():
                self._kept = text[begun:]
                return "".join([*shown, text[place:begun]])
            shown += [text[place : found.start()], MASK]
            place = found.end()

    def rest(self) -> str:
        """Return what was kept back, when nothing follows it."""
        kept, self._kept = self._kept, ""
        return self._spellings.pattern.sub(MASK, kept) if kept else ""

    def _begin(self, text: str, place: int) -> int:
        """Where behind a place the end of the text may be the beginning of a secret; the text's length if nowhere."""
        longest = len(self._spellings.forms[0]) - 1
        for start in range(max(place, len(text) - longest), len(text)):
            for form in self._spellings.by_first.get(text[start], ()):
                if len(form) > len(text) - start and form.startswith(text[start:]):
                    return start
        return len(text)
