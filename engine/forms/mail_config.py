"""Where mails are handed in: the operator's SMTP server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

URL = "{{#url#}}"  # where a mail's text has its link
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailConfig:
    """``is_tls``: encrypted from the first byte (``smtps``); else as soon as the server offers it."""

    host: str
    port: int
    is_tls: bool
    user: str
    password: str
    sender: str


def read(url: str, sender: str) -> MailConfig:
    """Read ``smtp://user:password@host:port`` or ``smtps://…``. ValueError says what is wrong, without the password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not an address of an SMTP server") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("not smtp://user:password@host:port or smtps://user:password@host:port")
    return MailConfig(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        is_tls=parts.scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=sender,
    )
