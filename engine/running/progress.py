"""What a run has done so far, told from the engine's state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphon.engine import Engine

from engine.events.easy_mapper import EasyMapper
from engine.events.mapper import Mapper


class EngineProgress:
    """What the engine's state says about a run so far."""

    def __init__(self, engine: Engine, mapper: Mapper | EasyMapper) -> None:
        self._engine, self._mapper = engine, mapper

    def figures(self) -> tuple[int, int]:
        """Return steps and handled exceptions."""
        state = self._engine.runtime_state
        return state.node_run_steps - self._mapper.repeats, state.graph_execution.exceptions_count

    def outputs(self) -> dict[str, Any]:
        """Return the outputs so far."""
        return dict(self._engine.runtime_state.outputs)

    def close_open(self, status: str, error: str | None) -> Iterable[dict[str, Any]]:
        """Return a last event for each node still at work."""
        return self._mapper.close_open(status, error)
