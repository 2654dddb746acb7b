"""Text as the words by which it is found: the same ones whatever the database and its locale.

Words are folded (case, accents, width), English endings are cut, and scripts without spaces are cut into
single characters and pairs. What is not ASCII is spelled in hexadecimal, so that no database's own idea of a
letter has a say.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import snowballstemmer

_WORD = re.compile(r"[^\W_]+")
# Scripts that write no spaces: Han, Hiragana, Katakana, Hangul, Thai, Lao, Khmer, Myanmar.
_DENSE = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003134f]+"
)
_MAX_WORD = 60
_COMMON_WORDS = """
    a an and are as at be but by can do does for from how i if in is it its me my no not of on or our so that the
    their them there these they this to was we were what when where which who why will with you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_local = threading.local()


def indexed(text: str) -> list[str]:
    """Return every word of a text, in order, as stored in the index."""
    return [word for part in _parts(text) for word in _spelled(part, both=True)]


def asked(query: str, limit: int = 32) -> list[str]:
    """Return the words to look for, each once, at most ``limit``; without the commonest, unless all are."""
    parts = list(_parts(query))
    telling = [part for part in parts if part not in _COMMON] or parts
    return list(dict.fromkeys(word for part in telling for word in _spelled(part, both=False)))[:limit]


def _parts(text: str) -> Iterator[str]:
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(one for one in folded if not unicodedata.combining(one))
    for found in _WORD.finditer(unicodedata.normalize("NFC", plain)):
        yield found[0][:_MAX_WORD]


def _spelled(part: str, *, both: bool) -> Iterator[str]:
    end = 0
    for dense in _DENSE.finditer(part):
        yield from _plain(part[end : dense.start()])
        run, end = dense[0], dense.end()
        if both or len(run) == 1:
            yield from (_hex(one) for one in run)
        yield from (_hex(run[place : place + 2]) for place in range(len(run) - 1))
    yield from _plain(part[end:])


def _plain(word: str) -> Iterator[str]:
    if word:
        yield _stem(word) if word.isascii() else _hex(word)


@lru_cache(50_000)  # a text has few different words, and each takes a tenth of a millisecond
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


def _hex(word: str) -> str:
    return "u" + word.encode("utf-8", "replace").hex()


def _stemmer() -> snowballstemmer.stemmer:
    # It keeps state while it works: one for each thread.
    if not hasattr(_local, "stemmer"):
        import snowballstemmer  # here, because it brings the words of every language with it

        _local.stemmer = snowballstemmer.stemmer("english")
    return _local.stemmer
