"""What a request's head may be: its bounds, and the checks that the parser leaves to us."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from store.refusal import Refusal

# A name, an IPv4 or a bracketed IPv6 address, and a port: what of RFC 9110 section 7.2 a server can be called.
HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?").fullmatch


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may take; 0 is no limit. Bytes of the address in the request line, bytes and lines of the
    whole head; seconds until a head is whole, a connection may idle between requests, an answer may stand still.
    """

    url_bytes: int = 0
    head_bytes: int = 0
    head_fields: int = 0
    head_seconds: float = 0
    idle_seconds: float = 0
    send_seconds: float = 0

    def check_url(self, size: int) -> None:
        """Raises ``uri_too_long``."""
        if self.url_bytes and size > self.url_bytes:
            raise Refusal("uri_too_long", f"The address is longer than {self.url_bytes} bytes.")

    def check_head(self, size: int, fields: int) -> None:
        """Raises ``request_header_fields_too_large``. In: the bytes and the lines so far."""
        if self.head_bytes and size > self.head_bytes:
            text = f"The head of the request is larger than {self.head_bytes} bytes."
            raise Refusal("request_header_fields_too_large", text)
        if self.head_fields and fields > self.head_fields:
            raise Refusal("request_header_fields_too_large", f"There are more than {self.head_fields} header lines.")


def check_target(method: str, url: bytes, hosts: list[bytes], version: str) -> None:
    """Raises ``bad_request`` unless the request names its host once, and well (RFC 9112 section 3.2).

    Two names, or none: a proxy in front may have gone by another one than whoever reads them here.
    """
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise Refusal("bad_request", "A request has one Host header.")
    if hosts and not HOST(hosts[0]):
        raise Refusal("bad_request", "The Host header names no host.")
    if method == "CONNECT":
        raise Refusal("bad_request", "This server is no proxy.")
    if not url.startswith(b"/") and url != b"*" and hosts and _host_of(url) != hosts[0].lower():
        raise Refusal("bad_request", "The Host header is not the host of the address.")


def _host_of(url: bytes) -> bytes:
    """The host and port of an address in absolute form (RFC 9112 section 3.2.2)."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return b""
