"""Asking a remote address what is there: name, media type and size of a file, without fetching it."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from engine.network.address_guard import AddressGuard, AddressRefused, LookupLate
from engine.running.cancel import CancelToken

# To look the name up or to connect, to wait for the answer, to send; and no more than their sum in all.
SECONDS = (2.0, 3.0, 1.0)


@dataclass(frozen=True, slots=True)
class Told:
    """What the answer said; empty and -1 where it said nothing."""

    name: str = ""
    mime_type: str = ""
    size: int = -1


def probe(url: str, guard: AddressGuard, owner: str) -> Told:
    """Send a HEAD request for ``owner``. A server that does not answer tells nothing.

    ValueError when the address may not be reached from here, with the rule.
    """
    import httpx

    from engine.network.http_client import GuardedHttpClient

    parts = urlsplit(url)
    try:
        guard.address(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), SECONDS[0], owner)
    except LookupLate:
        return Told()
    except AddressRefused as error:
        raise ValueError(str(error)) from None
    client = GuardedHttpClient(guard, CancelToken(owner), max_bytes=0)
    try:
        answer = client.head(url, timeout=SECONDS, follow_redirects=True)
    except httpx.RequestError:
        return Told()
    if answer.status_code >= 400:
        return Told()
    length = answer.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 16 else -1
    disposition = Message()
    disposition["Content-Disposition"] = answer.headers.get("content-disposition", "")
    mime_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Told(disposition.get_filename() or "", mime_type, size)
