"""The body of a request that asks for another protocol, which is none of ours.

The parser takes no body of such a request: what follows the head is left to the other protocol. Here the request is a
plain one (RFC 9110 section 7.8), so what follows is read by a parser that is told the same length, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httptools

Lines = Sequence[tuple[bytes, bytes]]


class _BodyOnly:
    """What a parser tells of, when the head was another one's."""

    def __init__(self, on_body: Callable[[bytes], Any], on_message_complete: Callable[[], Any]) -> None:
        self.on_body, self.on_message_complete = on_body, on_message_complete


def framing(headers: Lines) -> bytes:
    """The header lines that say how long the body is; nothing where there is none."""
    return b"".join(
        b"%b: %b\r\n" % (name, value)
        for name, value in headers
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
    )


def parser_at_body(
    headers: Lines, on_body: Callable[[bytes], Any], on_message_complete: Callable[[], Any]
) -> httptools.HttpRequestParser:
    """A parser that stands where the body of the request with these headers begins; it is of use for no other."""
    parser = httptools.HttpRequestParser(_BodyOnly(on_body, on_message_complete))
    parser.feed_data(b"POST / HTTP/1.1\r\n" + framing(headers) + b"\r\n")
    return parser
