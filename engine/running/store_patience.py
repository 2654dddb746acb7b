"""What works for a run on the engine's own threads waits for a store that is away, as the run's own thread does."""

from __future__ import annotations

from graphon import engine_events as ev
from graphon.engine.layer.base import Layer
from graphon.nodes.base.node import Node

from store import patience


class StorePatience(Layer):
    """Make it on the run's thread; add it before the layers that use the store."""

    def __init__(self) -> None:
        super().__init__()
        self._take = patience.handed_on()

    def on_node_run_start(self, node: Node) -> None:
        """Called on the thread that carries the node out."""
        self._take()

    def on_event(self, event: ev.EngineEvent) -> None:
        """Called on the thread that hands events on."""
        self._take()
