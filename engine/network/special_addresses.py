"""Addresses that look public and are not: where a cloud answers its own machines, and what standards set apart.

The Python library knows most of what IANA lists; here is what it lets through (the older, the more), and what no list
of IANA has. Each line says where it comes from. Metadata services at 169.254.0.0/16, 100.64.0.0/10 (100.100.100.200 of
Alibaba Cloud), fd00::/8 (fd00:ec2::254 of AWS, fd20:ce::254 of Google Cloud, fd00:42::42 of Scaleway) and fe80::/10
need no line: these ranges are refused as a whole.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TABLE = """
168.63.129.16/32   cloud-internal  Azure: learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
161.26.0.0/16      cloud-internal  IBM Cloud, services: cloud.ibm.com/docs/vpc?topic=vpc-service-endpoints-for-vpc
166.8.0.0/14       cloud-internal  IBM Cloud, service endpoints: the same page
192.0.0.0/24       reserved        RFC 6890; .9 and .10 are the nearest NAT (RFC 7723, 8155), .192 is Oracle Cloud
192.31.196.0/24    reserved        RFC 7535, AS112: answered by the nearest network
192.52.193.0/24    reserved        RFC 7450, AMT: the nearest relay
192.88.99.0/24     reserved        RFC 7526, 6to4 relays: the nearest one
192.175.48.0/24    reserved        RFC 7534, AS112
198.18.0.0/15      reserved        RFC 2544, benchmarks of networks
64:ff9b:1::/48     private         RFC 8215, NAT64 within a network
2001::/23          reserved        RFC 2928: Teredo, ORCHID, the nearest NAT (2001:1::1)
2620:4f:8000::/48  reserved        RFC 7534, AS112
3fff::/20          reserved        RFC 9637, documentation
"""
_NETWORKS: tuple[tuple[_Network, str], ...] = tuple(
    (ipaddress.ip_network(line.split()[0]), line.split()[1]) for line in _TABLE.strip().splitlines()
)

# Where public addresses of IPv6 are (RFC 3513): all else is set apart, or will be.
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_ISATAP = (0x5EFE, 0x02005EFE)  # RFC 5214, section 6.1: the upper half of the interface's identifier


def special(ip: Address) -> str | None:
    """Return the rule that forbids an address by the table; None for none."""
    return next((rule for network, rule in _NETWORKS if ip in network), None)


def is_outside(ip: Address) -> bool:
    """Whether an address of IPv6 is where no public ones are."""
    return isinstance(ip, ipaddress.IPv6Address) and ip not in _PUBLIC_V6


def within(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the address of IPv4 that one of IPv6 leads to: mapped, 6to4, Teredo, NAT64, ISATAP."""
    if ip in _NAT64 or (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def is_translated(ip: ipaddress.IPv6Address) -> bool:
    """Whether an address of IPv6 is only another way to write one of IPv4, public where that is."""
    return ip in _NAT64
