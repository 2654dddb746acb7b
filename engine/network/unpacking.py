"""Unpacking what an answer's ``Content-Encoding`` says, piece by piece and never beyond a bound.

The client's own decoders unpack as much as a piece holds: packed twice, 3 kB unfold to gigabytes before anybody
can count them.
"""

from __future__ import annotations

import zlib

_MOST_CODINGS = 2
_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class NotUnpacked(ValueError):
    """The content cannot be unpacked; the text says why."""


class TooMuch(NotUnpacked):
    """The content unfolds to more than may be taken."""


class Unpacker:
    """In: the header's value, and the most bytes that may come out of any of its codings."""

    def __init__(self, content_encoding: str, most: int) -> None:
        names = [name for one in content_encoding.split(",") if (name := one.strip().lower()) not in ("", "identity")]
        unknown = next((name for name in names if name not in _WINDOW), None)
        if unknown is not None or len(names) > _MOST_CODINGS:
            raise NotUnpacked(f"It is packed as '{content_encoding[:50]}', which was not asked for")
        # The last coding was put on last, so it comes off first.
        self._layers = [_Layer(name, most) for name in reversed(names)]

    def unpack(self, piece: bytes) -> bytes:
        """Return what a piece holds. Raises `NotUnpacked`."""
        for layer in self._layers:
            piece = layer.unpack(piece)
        return piece


class _Layer:
    def __init__(self, name: str, most: int) -> None:
        self._inflater = zlib.decompressobj(_WINDOW[name])
        # Some servers leave out the head that `deflate` should have.
        self._may_be_bare = name == "deflate"
        self._left = most

    def unpack(self, piece: bytes) -> bytes:
        try:
            # One byte more than is left tells that there is more. A length of 0 would mean "all".
            found = self._inflater.decompress(piece, self._left + 1)
        except zlib.error:
            if not self._may_be_bare:
                raise NotUnpacked("It is not packed as its Content-Encoding says") from None
            self._may_be_bare, self._inflater = False, zlib.decompressobj(-zlib.MAX_WBITS)
            return self.unpack(piece)
        self._may_be_bare = False
        self._left -= len(found)
        if self._left < 0:
            raise TooMuch
        return found
