"""How many tokens a text may have, where no server has counted them."""

from __future__ import annotations

OF_MESSAGE = 4  # what a message costs beside its text
OF_PICTURE = 1000


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text: four letters of English each, one for a character of Chinese or Japanese."""
    letters = len(text.encode("ascii", "ignore"))
    others = len(text.encode("utf-8", "ignore")) - letters
    return letters // 4 + others // 3
