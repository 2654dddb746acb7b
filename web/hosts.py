"""By which names people may reach the server.

A page of another site can point its own name at this server's address (DNS rebinding): its requests then come from
one origin with ours, as the browser sees it. They carry that name as ``Host``, and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?").fullmatch
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
WILDCARDS = ("", "0.0.0.0", "[::]")  # noqa: S104 - not listened on here


class Hosts:
    """In: the address people were told, the one that is listened on, and other names: one that begins with a dot
    stands for all below it, ``*`` for any name.
    """

    def __init__(self, public_url: str, listens: str = "", more: Iterable[str] = ()) -> None:
        given = [urlsplit(public_url).hostname or "", listens, *more]
        names = {_bracketed(name.strip().rstrip(".").lower()) for name in given}
        self._names = frozenset((names | set(LOOPBACK)) - set(WILDCARDS))

    def know(self, host: str, own: str = "") -> bool:
        """Whether a ``Host`` header names this server. In: the header, whatever its port, and the address that the
        request arrived at (it counts where all addresses are listened on).
        """
        if "*" in self._names:
            return True
        found = HOST(host.lower())
        if found is None:
            return False
        name = found[1].rstrip(".")
        if name in self._names or (own and name == _bracketed(own.lower())):
            return True
        return any(name.endswith(one) for one in self._names if one.startswith("."))


def _bracketed(name: str) -> str:
    """An IPv6 address as it stands in a URL."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
