"""Keeping secrets out of text that is told in pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.events.masking import MASK
from engine.events.spellings import forms_of


class Veil:
    """Takes secrets out of text that comes in pieces: the possible beginning of one is kept back until it is known.

    What it lets through is what `engine.events.masking.Mask` makes of the whole text.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = forms_of(secrets)
        self._pattern = re.compile("|".join(map(re.escape, forms)))
        self._beginnings = {form[:size] for form in forms for size in range(1, len(form))}
        self._longest = max(map(len, forms), default=1) - 1
        self._kept = ""

    def __bool__(self) -> bool:
        return bool(self._beginnings)

    def pass_on(self, piece: str) -> str:
        """Return what can be shown now."""
        shown: list[str] = []
        text, place = self._kept + piece, 0
        while True:
            begun = len(text) - self._begun(text[place:])
            found = self._pattern.search(text, place)
            # What has begun before, or at the same place, may become something longer.
            if found is None or begun <= found.start():
                self._kept = text[begun:]
                return "".join([*shown, text[place:begun]])
            shown += [text[place : found.start()], MASK]
            place = found.end()

    def rest(self) -> str:
        """Return what was kept back, when nothing follows it."""
        kept, self._kept = self._kept, ""
        return self._pattern.sub(MASK, kept) if kept else ""

    def _begun(self, text: str) -> int:
        """How many characters at the end of the text a secret may begin with."""
        most = min(len(text), self._longest)
        return next((size for size in range(most, 0, -1) if text[-size:] in self._beginnings), 0)
