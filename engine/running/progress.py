"""What a run has done so far, told from the engine's state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphon.engine import Engine

from engine.events.easy_mapper import EasyMapper
from engine.events.mapper import Mapper

_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


class EngineProgress:
    """What the engine's state says about a run so far."""

    def __init__(self, engine: Engine, mapper: Mapper | EasyMapper) -> None:
        self._engine, self._mapper = engine, mapper

    def figures(self) -> tuple[int, int, int, dict[str, int]]:
        """Return total tokens, steps, handled exceptions, and the tokens by kind."""
        state = self._engine.runtime_state
        usage = state.llm_usage
        counts = {name: int(getattr(usage, name)) for name in _USAGE}
        steps = state.node_run_steps - self._mapper.repeats
        return state.total_tokens, steps, state.graph_execution.exceptions_count, counts

    def outputs(self) -> dict[str, Any]:
        """Return the outputs so far."""
        return dict(self._engine.runtime_state.outputs)

    def close_open(self, status: str, error: str | None) -> Iterable[dict[str, Any]]:
        """Return a last event for each node still at work."""
        return self._mapper.close_open(status, error)
