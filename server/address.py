"""Whose address a request comes from. Forwarded headers are believed only from proxies we were told to trust.

``X-Forwarded-For`` is read from the right: each trusted proxy vouches for the entry it appended, and the
first entry that is not one of ours is the client. Whatever stands left of it the client may have written
itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from starlette.types import Scope

Networks = Sequence[IPv4Network | IPv6Network]
UNKNOWN = "unknown"


def client(peer: str | None, forwarded: str, trusted: Networks) -> str:
    """The client's address. In: the socket's peer, the joined ``X-Forwarded-For`` lines, the proxies we
    trust.
    """
    if peer is None:
        return UNKNOWN
    if not trusted or not forwarded or not among(peer, trusted):
        return peer
    nearest = peer
    for entry in reversed(forwarded.split(",")):
        candidate = _bare(entry.strip())
        if candidate is None:  # garbage: whoever wrote it stands behind the last address that is sure
            return nearest
        nearest = candidate
        if not among(candidate, trusted):
            return candidate
    return nearest


def of_scope(scope: Scope, trusted: Networks) -> str:
    """The client's address of an ASGI request."""
    peer = scope.get("client")
    host = peer[0] if peer else None
    if not trusted:
        return host or UNKNOWN
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return client(host, ",".join(lines), trusted)


def of_environ(environ: Mapping[str, Any], trusted: Networks) -> str:
    """The client's address of a WSGI request."""
    return client(environ.get("REMOTE_ADDR") or None, environ.get("HTTP_X_FORWARDED_FOR", ""), trusted)


def among(address: str, networks: Networks) -> bool:
    """Whether an address is in one of the networks; an IPv4 address that is written as IPv6 counts as IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed.version == network.version and parsed in network for network in networks)


def _bare(entry: str) -> str | None:
    """``1.2.3.4:5678`` and ``[::1]:80`` without the port; None for what is no address."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ip_address(entry))
    except ValueError:
        return None
