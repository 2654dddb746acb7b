"""What a run that stands still remembers, as one text: enough for a process that has never heard of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from engine.running.context import RunContext


@dataclass(frozen=True)
class Saved:
    """``state`` and ``filter`` are the engine's own snapshots, ``mapper`` that of the events.

    ``answer`` is the text told so far; ``elapsed`` counts seconds of work, not of waiting; ``steps`` and ``told``, the
    bytes of all events, count towards the run's limits; ``citations`` are the passages of knowledge that its answer
    rests on so far, ``usage`` the tokens that models took.
    """

    context: RunContext
    state: str
    filter: str
    mapper: dict[str, Any]
    answer: str
    elapsed: float
    steps: int
    citations: list[dict[str, Any]] = field(default_factory=list)
    told: int = 0
    usage: dict[str, int] = field(default_factory=dict)


_ADAPTER = TypeAdapter(Saved)


def dump(saved: Saved) -> str:
    """Return the text. It holds the values of secret variables: seal it."""
    return _ADAPTER.dump_json(saved).decode()


def load(text: str) -> Saved:
    """Return what was saved. Raises ValueError for a text of another version."""
    return _ADAPTER.validate_json(text)
