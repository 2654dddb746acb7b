"""Noting when a node is done, and whether it has acted on the world."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from graphon import engine_events as ev
from graphon.engine.layer.base import Layer


class Noting(Protocol):
    """What is told that a node is done."""

    def __call__(self, *, acted: bool) -> None:
        """Take note of it."""


class Acts(Layer):
    """Calls ``note`` when a node is done, before the engine goes on to another: ``acted`` if it is one of these."""

    def __init__(self, acting: Collection[str], note: Noting) -> None:
        super().__init__()
        self._acting, self._note = acting, note

    def on_event(self, event: ev.EngineEvent) -> None:
        """Look whether it is the end of a node."""
        if isinstance(event, ev.NodeRunSucceededEvent | ev.NodeRunExceptionEvent):
            self._note(acted=event.node_id in self._acting)
