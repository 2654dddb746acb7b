"""The wait before another attempt of a node.

The engine waits on the thread that hands on every event, where nothing wakes it: whatever worked beside the node stood
still. Here the node waits on its own thread, and no longer than its run.
"""

from __future__ import annotations

from contextlib import suppress

from graphon.engine.event import node_failure
from graphon.engine.layer.base import Layer
from graphon.engine_events import EngineEvent, NodeRunRetryEvent
from graphon.nodes.base.node import Node

from engine.running.cancel import Cancelled, CancelToken


class _NoWait:
    """As much of the module ``time`` as the engine's handler of failures uses."""

    @staticmethod
    def sleep(seconds: float) -> None:
        """Return at once."""


def use() -> None:
    """Have the engine begin another attempt without a wait; that is for `RetryWait`."""
    node_failure.time = _NoWait


class RetryWait(Layer):
    """Hears of the attempts that follow, and waits where they begin."""

    def __init__(self, cancel: CancelToken) -> None:
        super().__init__()
        self._cancel, self._again = cancel, set[str]()

    def on_event(self, event: EngineEvent) -> None:
        """Note that an execution is to be tried again."""
        if isinstance(event, NodeRunRetryEvent):
            self._again.add(event.id)

    def on_node_run_start(self, node: Node) -> None:
        """Wait on the node's own thread, if this is another attempt. A run that ends ends the wait."""
        if node.execution_id in self._again:
            self._again.discard(node.execution_id)
            with suppress(Cancelled):
                self._cancel.sleep(node.retry_config.retry_interval_seconds)
