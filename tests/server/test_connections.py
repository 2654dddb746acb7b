"""Counting who is connected."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from server.connections import LOOPBACK, Connections


class Held:
    """A connection that notes whether it had to go."""

    gone = False

    def make_room(self) -> None:
        self.gone = True


def admitted(connections: Connections, *peers: str | None) -> list[bool]:
    return [connections.admit(Held(), peer) for peer in peers]


def test_an_address_is_counted_and_ipv6_by_what_a_subscriber_owns() -> None:
    assert admitted(Connections(0, 1), "192.0.2.1", "192.0.2.1", "192.0.2.2") == [True, False, True]
    assert admitted(Connections(0, 1), "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1") == [True, False, True]
    assert admitted(Connections(0, 1), "192.0.2.1", "::ffff:192.0.2.1") == [True, False]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.1.2.3", None])
def test_loopback_and_trusted_proxies_are_not_counted(peer: str | None) -> None:
    connections = Connections(0, 1, [*LOOPBACK, ip_network("10.0.0.0/8")])
    assert admitted(connections, peer, peer, peer) == [True, True, True]


def test_nought_is_no_limit() -> None:
    assert all(admitted(Connections(0, 0), *["192.0.2.1"] * 50))


def test_a_place_is_given_back_once() -> None:
    connections, first = Connections(0, 1), Held()
    assert connections.admit(first, "192.0.2.1")
    for _ in range(3):
        connections.leave(first)
    connections.leave(Held())
    assert (len(connections), admitted(connections, "192.0.2.1", "192.0.2.1")) == (0, [True, False])


def test_who_waits_longest_makes_room_and_who_works_does_not() -> None:
    connections = Connections(3, 0)
    works, waited, came_back = Held(), Held(), Held()
    for one in (works, came_back, waited):
        assert connections.admit(one, "192.0.2.1")
    connections.works(works)
    connections.works(came_back)
    connections.waits(came_back)
    assert connections.admit(Held(), "192.0.2.2")
    assert (works.gone, waited.gone, came_back.gone) == (False, True, False)
    assert connections.admit(Held(), "192.0.2.2")
    assert (works.gone, came_back.gone, len(connections)) == (False, True, 3)


def test_where_nobody_waits_nobody_makes_room() -> None:
    connections, works = Connections(1, 0), Held()
    assert connections.admit(works, "192.0.2.1")
    connections.works(works)
    assert admitted(connections, "192.0.2.2") == [False]
    assert not works.gone


def test_one_that_had_to_go_takes_no_place_when_its_answer_is_out() -> None:
    connections, late = Connections(1, 0), Held()
    assert connections.admit(late, "192.0.2.1")
    assert admitted(connections, "192.0.2.2") == [True]
    connections.waits(late)
    assert admitted(connections, "192.0.2.3") == [True]
    assert len(connections) == 1


def test_who_holds_most_makes_room_even_at_work() -> None:
    """Slow bodies and slow readers are at work for as long as they like: fifteen addresses held all places."""
    connections = Connections(6, 0)
    theirs, mine = [Held() for _ in range(4)], [Held() for _ in range(2)]
    for one, peer in zip([*theirs, *mine], ["203.0.113.1", "203.0.113.2"] * 2 + ["192.0.2.1"] * 2, strict=True):
        assert connections.admit(one, peer)
        connections.works(one)
    connections.waits(theirs[2])
    assert admitted(connections, "198.51.100.1", "127.0.0.1") == [True, True]
    assert [one.gone for one in theirs] == [True, False, True, False]  # first the one that waited
    assert not any(one.gone for one in mine)


def test_a_network_takes_no_place_from_one_that_has_no_more() -> None:
    connections = Connections(4, 0)
    held = [Held() for _ in range(4)]
    for one, peer in zip(held, ["203.0.113.1"] * 2 + ["192.0.2.1"] * 2, strict=True):
        assert connections.admit(one, peer)
        connections.works(one)
    assert admitted(connections, "203.0.113.9", "2001:db8::1") == [False, True]
    assert sum(one.gone for one in held) == 1
