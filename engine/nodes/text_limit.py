"""How much text one node may put together from references: each is short, and what it stands for may be long.

The engine puts texts together in many places, all of them by way of one class; it is given a limit here, which is
counted for the thread that a node works on. The engine is pinned.
"""

from __future__ import annotations

import threading
from typing import Any

from graphon.engine.layer.base import Layer
from graphon.engine_events import EngineEvent
from graphon.variables.segment_group import SegmentGroup

MOST = 32 * 1024 * 1024  # characters: a request of the largest size, as it is sent and as it is shown, and more


class TextTooLong(ValueError):
    """The texts of a node are longer than they may be."""


class _Used(threading.local):
    characters = 0


_used = _Used()


class TextLimit(Layer):
    """Begins to count anew with each node, and for the thread that is told of nodes with each event."""

    def on_node_run_start(self, node: Any) -> None:
        """The node works on this thread."""
        _used.characters = 0

    def on_event(self, event: EngineEvent) -> None:
        """Conditions of loops are looked at on this thread."""
        _used.characters = 0


def _limited(form: str) -> property:
    def text(group: SegmentGroup) -> str:
        pieces = []
        for segment in group.value:
            piece: str = getattr(segment, form)
            _used.characters += len(piece)
            if _used.characters > MOST:
                raise TextTooLong(f"The texts of this node would be longer than {MOST} characters together")
            pieces.append(piece)
        return "".join(pieces)

    return property(text)


def limit_texts() -> None:
    """Have every text that is put together from references counted."""
    for form in ("text", "log", "markdown"):
        setattr(SegmentGroup, form, _limited(form))
