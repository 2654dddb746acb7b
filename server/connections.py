"""Who is connected: how many in all and from one address, and who makes room when there is none left.

Addresses and the networks around them are those of `store.networks`. Loopback and trusted proxies are not counted, for
many people come through them.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network
from typing import Protocol

from server.address import Networks, among
from store.networks import bucket, network

LOOPBACK: Networks = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
TOLD_AT_ONCE = 64  # connections over a cap that are told so at a time; further ones are cut off


class Connection(Protocol):
    """What is counted."""

    def make_room(self) -> None:
        """Close, whatever is at work: another needs the place."""


class Connections:
    """The connections of one process. In: the most in all and from one address (0: no limit), and the networks
    whose addresses are not counted.
    """

    def __init__(self, in_all: int, per_address: int, exempt: Networks = LOOPBACK) -> None:
        self.in_all, self.per_address, self.exempt = in_all, per_address, exempt
        self.stopping = False  # set once, when the server is told to stop
        self.told = 0
        self._open: dict[Connection, tuple[str, str] | None] = {}  # and its address and network, where these count
        self._by_address: Counter[str] = Counter()
        self._by_network: dict[str, dict[Connection, None]] = {}
        # Those that no request is at work on, the one that waits longest first.
        self._waiting: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, peer: str | None) -> bool:
        """Count a new connection, which waits for its request; False when it is over a cap.

        Where all places are taken, another one is closed for it: many that say nothing, or draw their requests and
        answers out, must not keep out one that does not.
        """
        whose = None if peer is None or among(peer, self.exempt) else (bucket(peer), network(peer))
        if whose and self.per_address and self._by_address[whose[0]] >= self.per_address:
            return False
        if self.in_all and len(self._open) >= self.in_all:
            found = self._most_dispensable(whose)
            if found is None:
                return False
            self.leave(found)
            found.make_room()
        self._open[connection] = whose
        self._waiting[connection] = None
        if whose:
            self._by_address[whose[0]] += 1
            self._by_network.setdefault(whose[1], {})[connection] = None
        return True

    def _most_dispensable(self, whose: tuple[str, str] | None) -> Connection | None:
        """The connection that makes room for one of this address: of the network that has most, if it has more than
        the newcomer's will have, else of all. There the one that waits longest for a request; only the network that
        has most loses one at work.
        """
        having = len(self._by_network.get(whose[1], ())) if whose else 0
        largest = max(self._by_network.values(), key=len, default={})
        if len(largest) > having + 1:
            return next((one for one in largest if one in self._waiting), next(iter(largest)))
        return next(iter(self._waiting), None)

    def works(self, connection: Connection) -> None:
        """A request of it has begun."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """Its request is answered."""
        if connection in self._open:
            self._waiting[connection] = None

    def leave(self, connection: Connection) -> None:
        """It is closed; again, or for one that was never admitted, nothing happens."""
        self._waiting.pop(connection, None)
        whose = self._open.pop(connection, None)
        if whose is None:
            return
        address, around = whose
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        del self._by_network[around][connection]
        if not self._by_network[around]:
            del self._by_network[around]
