"""Telling a ReAct agent's final answer while it is being written, out of the JSON text it is written in."""

from __future__ import annotations

import json
import re

_BEGIN = re.compile(
    r'"action"\s{0,20}:\s{0,20}"final[ _]?answer"\s{0,20},\s{0,20}"action_input"\s{0,20}:\s{0,20}"', re.IGNORECASE
)
_LOOK_BACK = 200  # characters in which the beginning may be cut by pieces


class FinalAnswer:
    """Fed the model's text piece by piece. What is in another order, or is not text, is told at the end instead."""

    def __init__(self) -> None:
        self._text, self._at, self._found, self._over = "", 0, False, False
        self.told = ""

    def feed(self, piece: str) -> str:
        """Return what can be told of the final answer now: its text, decoded; often empty."""
        self._text += piece
        if not self._found:
            start = max(0, len(self._text) - len(piece) - _LOOK_BACK)
            begin = _BEGIN.search(self._text, start)
            if begin is None:
                return ""
            self._found, self._at = True, begin.end()
        said = "" if self._over else self._decode()
        self.told += said
        return said

    def rest(self, answer: str) -> str:
        """Return what is still to be told of the whole ``answer``."""
        return answer[len(self.told) :] if answer.startswith(self.told) else ""

    def _decode(self) -> str:
        end = self._at
        while end < len(self._text):
            letter = self._text[end]
            if letter == '"':
                self._over = True
                break
            width = 1 if letter != "\\" else 6 if self._text[end + 1 : end + 2] == "u" else 2
            # Half of a pair of escapes would be half a letter.
            if _is_high(self._text[end : end + 6]):
                width = 12
            if end + width > len(self._text):
                break
            end += width
        written, self._at = self._text[self._at : end], end
        try:
            decoded: str = json.loads(f'"{written}"', strict=False)
        except ValueError:
            self._over = True
            return ""
        return decoded


def _is_high(escape: str) -> bool:
    return len(escape) == 6 and escape[:3].lower() == "\\ud" and escape[3].lower() in "89ab"
