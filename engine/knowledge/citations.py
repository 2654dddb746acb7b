"""What an answer rests on: the passages of knowledge that models were told, as ``message_end`` lists them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from engine.inputs.parameters import cites

_MEMBERS = (
    "dataset_id", "dataset_name", "document_id", "document_name", "segment_id", "data_source_type", "score",
    "content", "hit_count", "word_count", "segment_position", "index_node_hash", "page", "files", "summary",
)  # fmt: skip
_OF_METADATA = {
    "hit_count": "segment_hit_count", "word_count": "segment_word_count", "index_node_hash": "segment_index_node_hash",
}  # fmt: skip


def cited(passages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return passages, as a lookup gives them, as the engine's models tell them of their context."""
    return [
        {name: one["metadata"].get(_OF_METADATA.get(name, name), one.get(name)) for name in _MEMBERS}
        for one in passages
    ]


class Citations:
    """One per run; each passage is listed once, in the order in which the models met them."""

    def __init__(self, document: Mapping[str, Any], before: Iterable[Mapping[str, Any]] = ()) -> None:
        self._wanted = cites(document)
        self._found: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self.add(before)

    def add(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """Take in what a node gave to a model."""
        with self._lock:
            for one in resources if self._wanted else ():
                members = {name: one.get(name) for name in _MEMBERS}
                self._found.setdefault(str(one.get("segment_id")), {**members, "title": one.get("document_name")})

    def shown(self) -> list[dict[str, Any]]:
        """Return the passages so far, numbered from 1; none unless the app shows them."""
        with self._lock:
            return [{"position": position, **one} for position, one in enumerate(self._found.values(), 1)]
