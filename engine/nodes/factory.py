"""Making the engine's nodes from a definition's nodes, each with the services it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphon.enums import NodeExecutionType
from graphon.graph.graph import NodeFactory
from graphon.nodes.base.node import Node

from engine.nodes.incomplete import incomplete
from engine.nodes.kinds import Kind, kind_of
from engine.nodes.services import Services
from engine.nodes.unavailable import UnavailableContainer, UnavailableNode

_MAX_RETRIES = 10
_MAX_RETRY_MS = 10_000
# What checking a node's data may raise.
_UNUSABLE = (ValueError, TypeError, KeyError)


@dataclass
class DifyNodeFactory(NodeFactory):
    """The engine's port for making nodes; bound to one frame (the run, or one round of a container)."""

    init_params: Any
    runtime_state: Any
    services: Services
    # What was chosen for each node: the engine asks twice, and checking a node's data costs as much as making it.
    chosen: dict[str, tuple[Kind, Any]] = field(default_factory=dict)
    # The ids of the nodes that hold others, once somebody has asked.
    owners: set[str] = field(default_factory=set)

    def with_runtime_state(self, runtime_state: Any) -> DifyNodeFactory:
        """Return a factory for another frame: a copy, because frames live side by side."""
        return replace(self, runtime_state=runtime_state)

    def with_graph_config(self, graph_config: Mapping[str, Any]) -> DifyNodeFactory:
        """Return a factory for the graph inside a container."""
        return replace(self, init_params=self.init_params.model_copy(update={"graph_config": graph_config}))

    def validate_node(self, node_config: Any) -> NodeExecutionType:
        """Return how a node takes part. One that cannot run here passes: it fails when it is reached."""
        kind, _ = self._choose(node_config)
        return kind.node.execution_type

    def create_node(self, node_config: Any) -> Node[Any]:
        """Make a node with its services."""
        kind, data = self._choose(node_config)
        try:
            return self._make(node_config, kind, data)
        except _UNUSABLE as error:
            # Some of what a node checks it checks only as it is made.
            return self._make(node_config, *self._stand_in(node_config, incomplete(error)))

    def _make(self, node_config: Any, kind: Kind, data: Any) -> Node[Any]:
        options: dict[str, Any] = {
            "node_id": node_config["id"],
            "data": data,
            "init_params": self.init_params,
            "runtime_state": self.runtime_state,
        }
        return kind.node(**options, **kind.services(self.services, data))

    def _choose(self, node_config: Any) -> tuple[Kind, Any]:
        found = self.chosen.get(node_config["id"])
        if found is None:
            known = _known(node_config["data"])
            found = self._stand_in(node_config, known) if isinstance(known, str) else known
            self.chosen[node_config["id"]] = found
        return found

    def _stand_in(self, node_config: Any, reason: str) -> tuple[Kind, Any]:
        """A node that fails with the reason when it is reached; one that owns others is a container still."""
        stand_in = node_config["data"].model_copy(update={"unavailable_reason": reason})
        if not self.owners:
            nodes = self.init_params.graph_config["nodes"]
            self.owners |= {"", *(owner for node in nodes for owner in _owners(node) if isinstance(owner, str))}
        chosen: type[Node[Any]] = UnavailableContainer if node_config["id"] in self.owners else UnavailableNode
        return Kind(chosen), chosen.validate_node_data(stand_in)


def _known(data: Any) -> tuple[Kind, Any] | str:
    """Return a node's kind and checked data, or why it cannot run."""
    kind = kind_of(data)
    if kind is None:
        return f"Nodes of type '{data.type}' cannot run on this server"
    try:
        checked = kind.node.validate_node_data(data)
    except _UNUSABLE as error:
        return incomplete(error)
    # A node holds its thread while it waits for another attempt: it may not do so for long.
    retry = checked.retry_config
    retry.max_retries = min(retry.max_retries, _MAX_RETRIES)
    retry.retry_interval = min(retry.retry_interval, _MAX_RETRY_MS)
    return kind, checked


def _owners(node: Mapping[str, Any]) -> tuple[Any, ...]:
    data = node["data"]
    return (node.get("parentId"), *(data.get(key) for key in ("container_id", "iteration_id", "loop_id")))
