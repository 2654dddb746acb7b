"""Moments, modes and states in words, for the templates."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import store.clock
from store.runs import Run

# Networks of a home or an office. Python's ``is_private`` also counts documentation and test ranges.
LOCAL = [
    ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
]
MODES = {"workflow": "Workflow", "advanced-chat": "Chat flow", "chat": "Chat", "agent-chat": "Agent",
         "completion": "Completion"}  # fmt: skip
STATES = {"queued": "Queued", "running": "Running", "paused": "Waiting", "succeeded": "Finished", "failed": "Failed",
          "stopped": "Stopped", "partial-succeeded": "Finished, with errors"}  # fmt: skip
STEPS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def span(seconds: float) -> str:
    """A length of time in its largest whole unit: ``3 minutes``; under a minute ``less than a minute``."""
    for size, unit in STEPS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a minute"


def since(moment: datetime) -> str:
    """``3 minutes ago``; within a minute, or ahead of the clock, ``just now``."""
    passed = (store.clock.current().now() - moment).total_seconds()
    return f"{span(passed)} ago" if passed >= 60 else "just now"


def until(moment: datetime) -> str:
    """``in 14 days``, or ``expired``."""
    left = (moment - store.clock.current().now()).total_seconds()
    return f"in {span(left)}" if left > 0 else "expired"


def full(moment: datetime) -> str:
    """The moment itself, for the tooltip: ``23 November 2026, 18:38 UTC``."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def place(address: str) -> str:
    """An address with what can honestly be said about where it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    if parsed.is_loopback:
        return f"{address} (the machine this server runs on)"
    if any(parsed in network for network in LOCAL):
        return f"{address} (a local network)"
    return address


def mode(name: str) -> str:
    """What people call a mode of apps."""
    return MODES.get(name, name)


def state(status: str) -> str:
    """What people call the status of a run."""
    return STATES.get(status, status)


def outcome(run: Run) -> str:
    """How a run stands: ``Finished after 1.25 s, with errors``, or why it failed."""
    said, comma, rest = state(run.status).partition(",")
    if run.is_over:
        said += f" after {took(run.elapsed)}"
    return f"{said}: {run.error}" if run.error and run.status == "failed" else said + comma + rest


def took(seconds: float) -> str:
    """A measured time: ``340 ms``, ``1.25 s``, ``2 min 5 s``."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    return f"{seconds:.2f} s" if seconds < 60 else f"{int(seconds // 60)} min {round(seconds % 60)} s"


def brief(inputs: Mapping[str, Any], most: int = 120) -> str:
    """What a run was given, in one line: its first texts and numbers."""
    told = [value for value in inputs.values() if isinstance(value, str | int | float) and not isinstance(value, bool)]
    words = [str(value) for value in told if str(value).strip()]
    line = " ".join(" · ".join(words).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def pretty(value: Any) -> str:
    """A value as JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)
