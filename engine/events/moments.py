"""The engine's times, which are UTC without saying so, as the API tells them."""

from __future__ import annotations

from datetime import UTC, datetime


def unix(moment: datetime | None) -> int:
    """Return Unix seconds; None means now."""
    return int(_aware(moment).timestamp())


def seconds(began: datetime, ended: datetime | None) -> float:
    """Return how long something took, to the microsecond; None means that it ends now."""
    return round(max(0.0, (_aware(ended) - _aware(began)).total_seconds()), 6)


def _aware(moment: datetime | None) -> datetime:
    if moment is None:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
