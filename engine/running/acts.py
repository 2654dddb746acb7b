"""Noting when a node has acted on the world."""

from __future__ import annotations

from collections.abc import Callable, Collection

from graphon import engine_events as ev
from graphon.engine.layer.base import Layer


class Acts(Layer):
    """Calls ``note`` when one of these nodes is done, before the engine goes on to another."""

    def __init__(self, acting: Collection[str], note: Callable[[], None]) -> None:
        super().__init__()
        self._acting, self._note = acting, note

    def on_event(self, event: ev.EngineEvent) -> None:
        """Look whether it is the end of such a node."""
        if isinstance(event, ev.NodeRunSucceededEvent | ev.NodeRunExceptionEvent) and event.node_id in self._acting:
            self._note()
