"""Listening to the engine from inside, where its state and its events are in step.

Both layers run on the engine's own dispatcher thread. The response filter reads live state, so run anywhere
else it would group chunks differently from one repetition to the next. The engine swallows what a layer
raises: each layer therefore hands errors on to the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphon.engine import Engine
from graphon.engine.filter import EngineEventFilterContext
from graphon.engine.layer.base import Layer
from graphon.engine_events import EngineEvent, NodeRunVariableUpdatedEvent

from engine.events.jsonable import jsonable
from engine.events.text_filter import TextFilter


class PublishLayer(Layer):
    """Puts engine events through the response filter (which orders the answer's text) and hands them on."""

    def __init__(
        self,
        engine: Engine,
        publish: Callable[[EngineEvent], None],
        failed: Callable[[Exception], None],
        saved: str | None = None,
    ) -> None:
        super().__init__()
        self._filter, self._ready = TextFilter(), False
        if saved is not None:
            self._filter.loads(saved)
        self._engine, self._publish, self._failed = engine, publish, failed

    def on_graph_start(self) -> None:
        """Prepare the filter for this run's graph, once: what it holds outlives a pause."""
        if not self._ready:
            self._filter.initialize(EngineEventFilterContext.from_engine(self._engine))
            self._ready = True

    def dumps(self) -> str:
        """Return what the filter holds, for a later `PublishLayer`."""
        return self._filter.dumps()

    def on_event(self, event: EngineEvent) -> None:
        """Hand on what the filter lets through."""
        try:
            for visible in self._filter.on_event(event):
                self._publish(visible)
        except Exception as error:
            self._failed(error)

    def flush(self) -> None:
        """Hand on what the filter still holds, when the engine is done."""
        for visible in self._filter.flush():
            self._publish(visible)


class ConversationLayer(Layer):
    """Saves conversation variables as they are written, and carries writes out of a container's frame.

    A write inside an iteration or loop only changes that frame's copy; without the copy to the outer pool the
    nodes after the container would read the old value.
    """

    def __init__(self, engine: Engine, save: Callable[[str, Any], None], failed: Callable[[Exception], None]) -> None:
        super().__init__()
        self._engine, self._save, self._failed = engine, save, failed

    def on_event(self, event: EngineEvent) -> None:
        """Act on updates of conversation variables; everything else passes."""
        if not isinstance(event, NodeRunVariableUpdatedEvent):
            return
        variable = event.variable
        if not variable.selector or variable.selector[0] != "conversation":
            return
        try:
            if event.container_id:
                self._engine.runtime_state.variable_pool.add(variable.selector, variable)
            self._save(variable.name, jsonable(variable.value))
        except Exception as error:
            self._failed(error)
