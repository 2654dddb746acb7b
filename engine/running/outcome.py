"""How runs end, what they bring along, and what can be told of them on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as stored and as its last event says. ``answer`` is a chat's text."""

    status: str
    outputs: dict[str, Any]
    error: str | None
    elapsed: float
    steps: int
    exceptions: int
    usage: dict[str, int]
    answer: str
    resources: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """All tokens that the run's models took."""
        return self.usage["total_tokens"]


class Progress(Protocol):
    """What the engine can tell about a run at any moment; None until the engine exists."""

    def figures(self) -> tuple[int, int]:
        """Return steps and handled exceptions."""

    def outputs(self) -> dict[str, Any]:
        """Return the outputs so far."""

    def close_open(self, status: str, error: str | None) -> Iterable[dict[str, Any]]:
        """Return a last event for each node still at work."""


@dataclass(frozen=True)
class Carried:
    """What a run brings along from the process that ran it before; nothing for a new one."""

    answer: str = ""
    elapsed: float = 0.0
    resumes: bool = False
    citations: Sequence[dict[str, Any]] = ()
    told: int = 0
    usage: Mapping[str, int] = field(default_factory=dict)
