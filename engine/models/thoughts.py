"""What a model thought, between ``<think>`` and ``</think>``, parted from what it said.

In one pass: a pattern for a whole block looks to the end of the text from each ``<think>`` that is never closed, so a
person who types thousands of them would keep the server busy for minutes.
"""

from __future__ import annotations

import re

_OPEN = re.compile(r"<think(?:\s[^<>]{0,512})?>", re.IGNORECASE)
_CLOSE = re.compile(r"</think>", re.IGNORECASE)


def parted(text: str) -> tuple[str, list[str], str | None]:
    """Return the text without its thoughts, the thoughts, and one that is not closed with what follows it, or None."""
    said: list[str] = []
    thoughts: list[str] = []
    at = 0
    while (opened := _OPEN.search(text, at)) is not None:
        closed = _CLOSE.search(text, opened.end())
        if closed is None:
            return "".join([*said, text[at : opened.start()]]), thoughts, text[opened.start() :]
        said.append(text[at : opened.start()])
        thoughts.append(text[opened.end() : closed.start()])
        at = closed.end()
    return "".join([*said, text[at:]]), thoughts, None


def without_thoughts(text: str) -> str:
    """Return what was said; a thought that is not closed is left as it stands."""
    said, _, rest = parted(text)
    return said + (rest or "")


def split_reasoning(text: str, reasoning_format: str = "tagged") -> tuple[str, str]:
    """Return what was said and what was thought, as the engine's function of this name does."""
    if reasoning_format == "tagged":
        return text, ""
    said, thoughts, rest = parted(text)
    if rest is not None:
        opened = _OPEN.match(rest)
        thoughts.append(rest[opened.end() :] if opened else rest)
    return re.sub(r"\n\s*\n", "\n\n", said).strip(), "\n".join(kept for one in thoughts if (kept := one.strip()))
