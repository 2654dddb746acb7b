"""graphon alone over one of our graphs: what carrying out a run costs before anything is served or confined."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphon.engine import Engine
from graphon.graph.graph import Graph, NodeFactory
from graphon.nodes.end.end_node import EndNode
from graphon.nodes.start import StartNode
from graphon.nodes.template_transform.template_transform_node import TemplateTransformNode
from graphon.runtime.init_params import InitParams
from graphon.runtime.runtime_state import RuntimeState
from graphon.runtime.variable_pool import VariablePool
from graphon.template_rendering import Jinja2TemplateRenderer
from jinja2 import Template

KINDS: dict[str, Any] = {"start": StartNode, "end": EndNode, "template-transform": TemplateTransformNode}


class Renderer(Jinja2TemplateRenderer):
    """Renders in this process, with no guard at all."""

    def render_template(self, template: str, variables: Mapping[str, Any]) -> str:
        return Template(template).render(**variables)


@dataclass
class Nodes(NodeFactory):
    """Makes the three kinds of node that the measured graph has."""

    params: InitParams
    state: RuntimeState

    def with_runtime_state(self, runtime_state: RuntimeState) -> Nodes:
        return replace(self, state=runtime_state)

    def with_graph_config(self, graph_config: Mapping[str, Any]) -> Nodes:
        return replace(self, params=self.params.model_copy(update={"graph_config": graph_config}))

    def validate_node(self, node_config: Any) -> Any:
        return KINDS[node_config["data"].type].execution_type

    def create_node(self, node_config: Any) -> Any:
        kind = KINDS[node_config["data"].type]
        data = kind.validate_node_data(node_config["data"])
        extra = {"jinja2_template_renderer": Renderer()} if kind is TemplateTransformNode else {}
        return kind(node_id=node_config["id"], data=data, init_params=self.params, runtime_state=self.state, **extra)


def bare_run(document: Mapping[str, Any]) -> float:
    """Carry out a workflow in this process; returns the seconds it took."""
    begun = time.perf_counter()
    pool = VariablePool()
    pool.add(("sys", "user_id"), "a")
    state = RuntimeState(variable_pool=pool, start_at=time.time(), workflow_id="v")
    params = InitParams(workflow_id="v", graph_config=document["graph"], run_context={}, call_depth=0)
    graph = Graph.init(graph_config=document["graph"], node_factory=Nodes(params, state), root_node_id="start")
    for _ in Engine(graph=graph, runtime_state=state, workers=1).run():
        pass
    return time.perf_counter() - begun
