"""What happens while an agent works, in the order in which it happens; nodes turn these into their events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMUsage


class AgentGaveUp(ValueError):
    """The rounds were used up without an answer."""


class ToolMissing(ValueError):
    """The agent is to use a tool that is not here; the text says how to add it."""


@dataclass(frozen=True)
class Call:
    """A tool the model wants called. ``arguments`` is None when what it wrote is no JSON object (``written``)."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None
    written: str

    @property
    def given(self) -> Mapping[str, Any] | str:
        """The arguments, or what stands in their place."""
        return self.written if self.arguments is None else self.arguments


@dataclass(frozen=True)
class RoundBegun:
    """A round begins; ``position`` counts from 1."""

    position: int


@dataclass(frozen=True)
class Said:
    """A piece of text meant for the person who asked."""

    text: str


@dataclass(frozen=True)
class Thought:
    """The model has answered: its words, and the calls it wants (none in the last round)."""

    position: int
    text: str
    calls: tuple[Call, ...]
    usage: LLMUsage


@dataclass(frozen=True)
class Calling:
    """A tool is about to be called."""

    position: int
    call: Call


@dataclass(frozen=True)
class Observed:
    """What a tool gave, or why it failed (``failed``; the text tells the model); the rest is as in its result."""

    position: int
    call: Call
    text: str
    failed: bool
    value: Any = None
    resources: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RoundEnded:
    """A round is over; ``results`` are what its calls gave, in order."""

    position: int
    thought: Thought
    results: tuple[Observed, ...]


@dataclass(frozen=True)
class Answered:
    """The agent is done. ``text`` is everything it said, ``usage`` what all rounds cost."""

    text: str
    usage: LLMUsage


Step = RoundBegun | Said | Thought | Calling | Observed | RoundEnded | Answered


def by_tool(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return values by the names of tools; a second call of the same tool in one round gets a number."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        key, number = name, 2
        while key in found:
            key, number = f"{name} ({number})", number + 1
        found[key] = value
    return found
