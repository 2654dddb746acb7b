"""Who asks: the caller that the stop "who" has found, and in whose name a request takes turns."""

from __future__ import annotations

from typing import Any

from server.address import Networks, of_scope
from store import networks
from store.caller import Caller

CONTEXT = "connexion_context"


def caller_of(scope: Any) -> Caller | None:
    """The caller of a request; None before it is known, and where nobody has signed in."""
    found: Caller | None = (scope.get("extensions") or {}).get(CONTEXT, {}).get("user")
    return found


def owner_of(scope: Any, trusted: Networks) -> str:
    """Whose turn a request takes: the caller's, whatever the token; where there is none, the address's (IPv6: /64)."""
    caller = caller_of(scope)
    return networks.bucket(of_scope(scope, trusted)) if caller is None else caller.subject
