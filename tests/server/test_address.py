"""Whose address counts, whatever the headers claim."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from server.address import client, of_environ
from store.networks import bucket

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (None, "1.1.1.1", "unknown"),
        ("/run/socket", "1.1.1.1", "/run/socket"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str | None, forwarded: str, found: str) -> None:
    assert client(peer, forwarded, TRUSTED) == found


def test_nobody_is_believed_by_default() -> None:
    assert client("10.0.0.1", "1.1.1.1", []) == "10.0.0.1"


def test_an_environ_is_read_like_a_scope() -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}
    assert of_environ(environ, TRUSTED) == "198.51.100.7"
    assert of_environ({}, TRUSTED) == "unknown"


def test_an_ipv6_client_is_counted_by_its_network() -> None:
    assert bucket("2001:db8:0:1::7") == bucket("2001:db8:0:1:ffff::1") == "2001:db8:0:1::/64"
    assert bucket("::ffff:192.0.2.1") == bucket("192.0.2.1") == "192.0.2.1"
    assert bucket("unknown") == "unknown"
