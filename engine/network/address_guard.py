"""Deciding which addresses an app's HTTP requests may reach (against server-side request forgery)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from functools import partial

from engine.network import lookups
from engine.network.special_addresses import Address, is_outside, is_translated, special, within

Resolver = Callable[[str, int], list[str]]


class AddressRefused(Exception):
    """The host may not be reached; the text names the rule."""


class LookupLate(AddressRefused):
    """What addresses the host has was not found out in time."""


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
        ip: Address = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return "unreadable"
    if isinstance(ip, ipaddress.IPv6Address) and (inner := within(ip)) is not None:
        # An address of IPv4 can hide inside: it counts too, and where the outer one only spells it, it alone does.
        rule = broken_rule(str(inner))
        if rule or is_translated(ip):
            return rule
    for rule, hit in (
        ("unspecified", ip.is_unspecified),
        ("loopback", ip.is_loopback),
        ("link-local", ip.is_link_local),
        ("multicast", ip.is_multicast),
        (found := special(ip) or "", bool(found)),
        ("private", ip.is_private),
        ("reserved", ip.is_reserved or not ip.is_global or is_outside(ip)),
    ):
        if hit:
            return rule
    return None


class AddressGuard:
    """Resolves a host once and hands out the very address to connect to, so it cannot change in between."""

    def __init__(self, *, allow_private: bool, allowed_hosts: frozenset[str], resolver: Resolver = resolve) -> None:
        self._allow_private = allow_private
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._resolver = resolver

    def address(self, host: str, port: int, seconds: float | None = None, owner: str = "") -> str:
        """Return the address to connect to, looked up within ``seconds``, in its turn among those of ``owner``.

        Raises `LookupLate`, or another `AddressRefused` if *any* address of the host is forbidden.
        """
        look_up = partial(self._resolver, host.strip("[]"), port)
        try:
            addresses = lookups.within(seconds, owner, look_up, host.strip("[]"))
        except TimeoutError:
            raise LookupLate(f"The host '{host}' could not be resolved in time") from None
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
