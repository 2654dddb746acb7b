"""Deciding which addresses an app's HTTP requests may reach (against server-side request forgery)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

Resolver = Callable[[str, int], list[str]]

# Where public addresses of IPv6 are, and what is none there although Python (the older, the more) takes it for one.
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215: private, which only the newer Python says
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("3fff::/20", "192.88.99.0/24")))


class AddressRefused(Exception):
    """The host may not be reached; the text names the rule."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order the system prefers. Raises `AddressRefused` if none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AddressRefused(f"The host '{host}' could not be resolved: {reason}") from error
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def broken_rule(address: str) -> str | None:
    """Return the rule that forbids an address ("loopback", "private", …), or None for a public one."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return "unreadable"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return broken_rule(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        # An IPv4 address can hide inside an IPv6 one (mapped, 6to4, Teredo): the inner one counts too.
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None and (rule := broken_rule(str(inner))):
            return rule
    for rule, hit in (
        ("unspecified", ip.is_unspecified),
        ("loopback", ip.is_loopback),
        ("link-local", ip.is_link_local),
        ("multicast", ip.is_multicast),
        ("private", ip.is_private or ip in _NAT64_LOCAL),
        ("reserved", ip.is_reserved or not ip.is_global or _outside(ip)),
    ):
        if hit:
            return rule
    return None


def _outside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _PUBLIC_V6:
        return True
    return any(ip in network for network in _NOT_PUBLIC)


class AddressGuard:
    """Resolves a host once and hands out the very address to connect to, so it cannot change in between."""

    def __init__(self, *, allow_private: bool, allowed_hosts: frozenset[str], resolver: Resolver = resolve) -> None:
        self._allow_private = allow_private
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._resolver = resolver

    def address(self, host: str, port: int) -> str:
        """Return the address to connect to. Raises `AddressRefused` if *any* address of the host is
        forbidden.
        """
        addresses = self._resolver(host.strip("[]"), port)
        if self._allow_private or host.lower() in self._allowed_hosts:
            return addresses[0]
        for address in addresses:
            if rule := broken_rule(address):
                article = "an" if rule[0] in "aeiou" else "a"
                raise AddressRefused(
                    f"The host '{host}' has {article} {rule} address; requests to such addresses are refused "
                    "unless DIFYSPEC_ALLOWED_OUTBOUND_HOSTS names the host"
                )
        return addresses[0]
