"""The keys that addresses are counted under: one of a client, and one of the network around it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network


def bucket(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: its client may take any address of that."""
    parsed = _parsed(address)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64))) if isinstance(parsed, IPv6Address) else str(parsed)


def network(address: str) -> str:
    """The /48 of an IPv6 address, which one customer is commonly given whole; of an IPv4 address the /24, the
    smallest that is routed by itself.
    """
    parsed = _parsed(address)
    if isinstance(parsed, str):
        return parsed
    return str(ip_network((parsed, 24 if isinstance(parsed, IPv4Address) else 48), strict=False))


def _parsed(address: str) -> IPv4Address | IPv6Address | str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
