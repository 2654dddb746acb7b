"""What a request still carries when it is redirected: what its author wrote stays with the host it was written for.

A redirect is the other server's word. Whoever can make an address redirect would otherwise be handed the keys in its
headers, and its body, at any host of their choice (RFC 9110, section 15.4, point 1).
"""

from __future__ import annotations

import httpx

_PORTS = {"http": 80, "https": 443}
# What says something of the client, not of the request. The cookies are those that the servers have set: the library
# has taken the author's off by now.
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "cookie", "user-agent"})
_WITH_BODY = ("content-length", "transfer-encoding")


def followed(sent: httpx.Request, following: httpx.Request) -> httpx.Request | None:
    """Return the request that follows a redirect, without the author's headers where it leaves the origin.

    In: the one that was redirected, and what the library makes of the answer. None where the author's body would go to
    another origin (307 and 308 ask for it).
    """
    if within_origin(sent.url, following.url):
        return following
    if any(name in following.headers for name in _WITH_BODY) and following.headers.get("content-length") != "0":
        return None
    kept = [(name, value) for name, value in following.headers.items() if name.lower() in _HARMLESS]
    return httpx.Request(following.method, following.url, headers=kept, extensions=following.extensions)


def within_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether both have the same scheme, host and port (RFC 6454, section 5), or the other one is the same host by TLS,
    each at its scheme's own port: who may read it there could before.
    """
    if one.host != other.host:
        return False
    ends = [(url.scheme, url.port or _PORTS.get(url.scheme)) for url in (one, other)]
    return ends[0] == ends[1] or ends == [("http", 80), ("https", 443)]
