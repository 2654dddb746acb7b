"""Who is connected: how many in all and from one address, and who makes room when there is none left.

An address is counted as `server.address.bucket` has it: IPv6 by /64, since a subscriber owns that much. Loopback
and trusted proxies are not counted, for many people come through them.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network
from typing import Protocol

from server.address import Networks, among
from store.networks import bucket

LOOPBACK: Networks = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
TOLD_AT_ONCE = 64  # connections over a cap that are told so at a time; further ones are cut off


class Connection(Protocol):
    """What is counted."""

    def make_room(self) -> None:
        """Close: another needs the place."""


class Connections:
    """The connections of one process. In: the most in all and from one address (0: no limit), and the networks
    whose addresses are not counted.
    """

    def __init__(self, in_all: int, per_address: int, exempt: Networks = LOOPBACK) -> None:
        self.in_all, self.per_address, self.exempt = in_all, per_address, exempt
        self.stopping = False  # set once, when the server is told to stop
        self.told = 0
        self._open: dict[Connection, str | None] = {}
        self._by_address: Counter[str] = Counter()
        # Those that no request is at work on, the one that waits longest first.
        self._waiting: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, peer: str | None) -> bool:
        """Count a new connection, which waits for its request; False when it is over a cap.

        Where all places are taken, the connection that waits longest for a request is closed for it: many that
        say nothing must not keep out one that does.
        """
        address = None if peer is None or among(peer, self.exempt) else bucket(peer)
        if address is not None and self.per_address and self._by_address[address] >= self.per_address:
            return False
        if self.in_all and len(self._open) >= self.in_all:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                return False
            self.leave(oldest)
            oldest.make_room()
        self._open[connection] = address
        self._waiting[connection] = None
        if address is not None:
            self._by_address[address] += 1
        return True

    def works(self, connection: Connection) -> None:
        """A request of it has begun: it makes room for nobody."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """Its request is answered."""
        if connection in self._open:
            self._waiting[connection] = None

    def leave(self, connection: Connection) -> None:
        """It is closed; again, or for one that was never admitted, nothing happens."""
        self._waiting.pop(connection, None)
        address = self._open.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
