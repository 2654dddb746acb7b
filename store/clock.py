"""Time and randomness as things that are handed in, so that tests can hold them still.

``store.open(url, clock=…, ids=…)`` installs them; ``current()`` gives the clock in use. Calling the module
itself, ``store.clock()``, does the same.
"""

from __future__ import annotations

import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from types import ModuleType

import uuid6

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Clock:
    """The machine's clock: wall time for what is stored, monotonic time for what is measured."""

    def now(self) -> datetime:
        """The present as an aware UTC datetime."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards, from an arbitrary start."""
        return time.monotonic()


class Ids:
    """The machine's randomness: row ids, secrets and codes for people."""

    def uuid7(self) -> str:
        """A new lower-case UUIDv7 (RFC 9562 §5.7); later ones sort later."""
        return str(uuid6.uuid7())

    def token(self, nbytes: int) -> str:
        """``nbytes`` of secure randomness as unpadded URL-safe base64."""
        return secrets.token_urlsafe(nbytes)

    def pick(self, alphabet: str, n: int) -> str:
        """``n`` letters of ``alphabet``, each drawn securely and independently."""
        return "".join(secrets.choice(alphabet) for _ in range(n))


class _Installed:
    """What ``store.open`` installed last."""

    clock: Clock = Clock()
    ids: Ids = Ids()


def current() -> Clock:
    """The clock of the open store (the machine's, if none was handed in)."""
    return _Installed.clock


def current_ids() -> Ids:
    """The id source of the open store (the machine's, if none was handed in)."""
    return _Installed.ids


def install(clock: Clock | None, ids: Ids | None) -> None:
    """Make these the ones in use; ``None`` means the machine's own."""
    _Installed.clock = clock or Clock()
    _Installed.ids = ids or Ids()


def rfc3339(moment: datetime) -> str:
    """An aware datetime as RFC 3339 in UTC, to the millisecond where it has one:
    ``2026-11-23T18:38:22.041Z``."""
    utc = moment.astimezone(UTC)
    text = utc.isoformat(timespec="milliseconds" if utc.microsecond >= 1000 else "seconds")
    return text.replace("+00:00", "Z")


def to_micros(moment: datetime) -> int:
    """An aware datetime as whole microseconds since 1970: exact, sortable, and the same in both databases."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of a stored number of microseconds."""
    return EPOCH + micros * MICROSECOND


def now_micros() -> int:
    """The present, as it is stored."""
    return to_micros(_Installed.clock.now())


class _CallableModule(ModuleType):
    """Lets ``store.clock()`` answer the clock although ``store.clock`` is this module."""

    def __call__(self) -> Clock:
        return current()


sys.modules[__name__].__class__ = _CallableModule
