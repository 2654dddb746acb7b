"""Which round of its iteration a node runs in: the engine knows, and says it in none of its events."""

from __future__ import annotations

from collections.abc import Collection

from graphon.engine.layer.base import Layer
from graphon.nodes.base.node import Node


class Rounds(Layer):
    """Notes it on the worker's thread just before a node begins, where the node sees its own round's variables."""

    def __init__(self, iterations: Collection[str]) -> None:
        super().__init__()
        self._iterations = iterations
        self._seen: dict[str, dict[str, int]] = {}

    def on_node_run_start(self, node: Node) -> None:
        """Note the rounds of all iterations around a node."""
        pool = node.runtime_state.variable_pool
        found = {one: pool.get([one, "index"]) for one in self._iterations}
        self._seen[node.execution_id] = {one: int(index.value) for one, index in found.items() if index is not None}

    def take(self, execution_id: str, iteration_id: str | None) -> int | None:
        """Return the round of one iteration that an execution belongs to, from 0; it is told once."""
        return self._seen.pop(execution_id, {}).get(iteration_id or "")
