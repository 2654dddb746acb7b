"""Looking up the addresses of names, on threads of its own: the system's resolver waits for strangers' name servers as
long as it likes, and cannot be told to stop.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import cache

from engine.running.threads import Threads

SECONDS = 10.0  # that a look-up may take, where whoever asks does not say less
_THREADS, _EACH = 64, 16  # look-ups at a time, of all callers and of one


def within(seconds: float | None, owner: str, look_up: Callable[[], list[str]], host: str) -> list[str]:
    """The addresses that ``look_up`` finds for a host. Raises TimeoutError when that takes longer than ``seconds``, and
    whatever ``look_up`` raises. ``owner`` is whose turn it takes.
    """
    if _is_address(host):
        return look_up()
    found = _threads().call(owner, look_up)
    try:
        return found.result(SECONDS if seconds is None else min(seconds, SECONDS))
    except TimeoutError:
        found.cancel()
        raise


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


@cache
def _threads() -> Threads:
    return Threads(_THREADS, most=_EACH, name="look-up", daemon=True)
