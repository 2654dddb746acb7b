"""How often a user code may be guessed (RFC 8628 §5.1): wrong codes are counted, right ones are free.

Whoever is signed in has a bucket of their own and no other. All others have one for the address, one for the network
around it, and one for all of them together; where that last one is used up, they are asked to sign in, so that
nobody who may answer a device is locked out by strangers. The contract has the numbers (``x-rate-limit`` with
``counts: wrong`` of ``lookupDeviceCode``), and how likely a hit is.

A code is looked at before and counted after it was looked up, so guesses sent at once may pass together: at most as
many as there are threads for requests.
"""

from __future__ import annotations

from collections.abc import Mapping

from store import networks
from store.attempts import Attempts, Charge, Spent
from store.refusal import Refusal
from store.windows import Bucket

Headers = dict[str, str]


class CodeGuesses:
    """In: the counts, and the buckets of account, address, network and everyone; one left out is not counted."""

    def __init__(self, attempts: Attempts, buckets: Mapping[str, Bucket]) -> None:
        self._attempts, self._buckets = attempts, buckets

    def look(self, address: str, subject: str | None) -> Headers:
        """Before a code is looked up; out: the header lines that tell what is left.

        In: where it comes from, and who is signed in. Raises ``too_many_requests``; ``unauthorized`` where all wrong
        codes of strangers are used up; ``service_unavailable`` when shared counts cannot be reached.
        """
        return self._walk(address, subject, counts=False)

    def wrong(self, address: str, subject: str | None) -> Headers:
        """Count a wrong code. Out and errors as ``look``."""
        return self._walk(address, subject, counts=True)

    def _walk(self, address: str, subject: str | None, counts: bool) -> Headers:
        charges = self._charges(address, subject)
        if not charges:
            return {}
        try:
            return (self._attempts.count if counts else self._attempts.look)(charges).headers()
        except Spent as spent:
            if spent.bucket is not self._buckets.get("everyone"):
                raise
            hint = "Sign in, and send your token or the cookie of your page with X-CSRF-Token."
            raise Refusal("unauthorized", "Too many wrong codes were tried by all; sign in first.", hint=hint) from None

    def _charges(self, address: str, subject: str | None) -> list[Charge]:
        whose = {"account": subject} if subject else {
            "address": networks.bucket(address), "network": networks.network(address), "everyone": "all",
        }  # fmt: skip
        return [(self._buckets[kind], key) for kind, key in whose.items() if kind in self._buckets]
