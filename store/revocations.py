"""Telling the rest of this process that access was taken away, so that what rests on it is looked at again at once.

Other processes are told nothing: who must know looks again by itself, once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

_listeners: list[Callable[[], None]] = []


def listen(call: Callable[[], None]) -> None:
    """Have ``call``, which must not block, called after each change that may have taken access away."""
    _listeners.append(call)


def leave(call: Callable[[], None]) -> None:
    """Call it no more; one that was never called is no error."""
    if call in _listeners:
        _listeners.remove(call)


def tell() -> None:
    """Access may have been taken away: to be called after the commit."""
    for call in tuple(_listeners):
        call()


def told[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Have ``function``, a whole transaction that may take access away, tell it."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        tell()
        return result

    return run
