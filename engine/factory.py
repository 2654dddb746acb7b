"""Making the engine's nodes from a definition's nodes, each with the services it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphon.enums import BuiltinNodeTypes as T
from graphon.enums import NodeExecutionType
from graphon.graph.graph import NodeFactory
from graphon.nodes.answer.answer_node import AnswerNode
from graphon.nodes.base.node import Node
from graphon.nodes.end.end_node import EndNode
from graphon.nodes.http_request.config import build_http_request_config
from graphon.nodes.http_request.node import HttpRequestNode, HttpRequestNodeDependencies
from graphon.nodes.if_else.if_else_node import IfElseNode
from graphon.nodes.iteration.iteration_node import IterationNode
from graphon.nodes.iteration.iteration_start_node import IterationStartNode
from graphon.nodes.list_operator.node import ListOperatorNode
from graphon.nodes.llm import LLMNode
from graphon.nodes.loop.loop_end_node import LoopEndNode
from graphon.nodes.loop.loop_node import LoopNode
from graphon.nodes.loop.loop_start_node import LoopStartNode
from graphon.nodes.start import StartNode
from graphon.nodes.template_transform.template_transform_node import TemplateTransformNode
from graphon.nodes.variable_aggregator.variable_aggregator_node import VariableAggregatorNode
from graphon.nodes.variable_assigner.v1.node import VariableAssignerNode as AssignerV1
from graphon.nodes.variable_assigner.v2.node import VariableAssignerNode as AssignerV2
from graphon.template_rendering import Jinja2TemplateRenderer, TemplateRenderError
from pydantic import ValidationError

from engine.cancel import CancelToken
from engine.jsonable import jsonable
from engine.models.echo import EchoModel
from engine.templates import TemplatePool, TemplateRefused
from engine.unavailable import UnavailableContainer, UnavailableNode

CLASSES: dict[str, type[Node[Any]]] = {
    T.START: StartNode,
    T.END: EndNode,
    T.ANSWER: AnswerNode,
    T.IF_ELSE: IfElseNode,
    T.ITERATION: IterationNode,
    T.ITERATION_START: IterationStartNode,
    T.LOOP: LoopNode,
    T.LOOP_START: LoopStartNode,
    T.LOOP_END: LoopEndNode,
    T.VARIABLE_AGGREGATOR: VariableAggregatorNode,
    T.LEGACY_VARIABLE_AGGREGATOR: VariableAggregatorNode,
    T.LIST_OPERATOR: ListOperatorNode,
    T.LLM: LLMNode,
    T.TEMPLATE_TRANSFORM: TemplateTransformNode,
    T.HTTP_REQUEST: HttpRequestNode,
}
_MAX_RETRIES = 10
_MAX_RETRY_MS = 10_000
CODE_REASON = "Code nodes cannot run on this server yet"


class Renderer(Jinja2TemplateRenderer):
    """The engine's template port, on our confined workers."""

    def __init__(self, pool: TemplatePool, cancel: CancelToken) -> None:
        self._pool, self._cancel = pool, cancel

    def render_template(self, template: str, variables: Mapping[str, Any]) -> str:
        """Return the template's text. Raises TemplateRenderError with the reason."""
        try:
            return self._pool.render(template, variables, self._cancel)
        except TemplateRefused as error:
            raise TemplateRenderError(str(error)) from None


class _Serializer:
    def serialize(self, *, model_mode: object, prompt_messages: Any) -> Any:
        return [jsonable(message) for message in prompt_messages]


class _NoFiles:
    """Stands in for the file services: a node that needs one fails with this text."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def refuse(*args: Any, **options: Any) -> Any:
            raise ValueError("Files cannot be used on this server yet")

        return refuse


@dataclass(frozen=True)
class Services:
    """What the nodes of one run share."""

    cancel: CancelToken
    renderer: Renderer
    http_client: Any
    history: Any
    max_output_characters: int


@dataclass
class DifyNodeFactory(NodeFactory):
    """The engine's port for making nodes; bound to one frame (the run, or one round of a container)."""

    init_params: Any
    runtime_state: Any
    services: Services

    def with_runtime_state(self, runtime_state: Any) -> DifyNodeFactory:
        """Return a factory for another frame: a copy, because frames live side by side."""
        return replace(self, runtime_state=runtime_state)

    def with_graph_config(self, graph_config: Mapping[str, Any]) -> DifyNodeFactory:
        """Return a factory for the graph inside a container."""
        return replace(self, init_params=self.init_params.model_copy(update={"graph_config": graph_config}))

    def validate_node(self, node_config: Any) -> NodeExecutionType:
        """Return how a node takes part. One that cannot run here passes: it fails when it is reached."""
        kind, _ = _choose(node_config, self.init_params.graph_config)
        return kind.execution_type

    def create_node(self, node_config: Any) -> Node[Any]:
        """Make a node with its services."""
        kind, data = _choose(node_config, self.init_params.graph_config)
        options: dict[str, Any] = {
            "node_id": node_config["id"],
            "data": data,
            "init_params": self.init_params,
            "runtime_state": self.runtime_state,
        }
        return kind(**options, **self._services_for(kind, data))

    def _services_for(self, kind: type[Node[Any]], data: Any) -> dict[str, Any]:
        services = self.services
        if kind is LLMNode:
            model = data.model
            return {
                "model_instance": EchoModel(model.provider, model.name, model.completion_params, services.cancel),
                "memory": services.history if data.memory else None,
                "llm_file_saver": _NoFiles(),
                "prompt_message_serializer": _Serializer(),
                "jinja2_template_renderer": services.renderer,
                "default_query_selector": ("sys", "query"),
            }
        if kind is TemplateTransformNode:
            return {
                "jinja2_template_renderer": services.renderer,
                "max_output_length": services.max_output_characters,
            }
        if kind is HttpRequestNode:
            files: Any = _NoFiles()
            return {
                "http_request_config": build_http_request_config(ssrf_default_max_retries=0),
                "dependencies": HttpRequestNodeDependencies(
                    tool_file_manager_factory=_NoFiles,
                    file_manager=files,
                    file_reference_factory=files,
                    http_client=services.http_client,
                ),
            }
        return {}


def _choose(node_config: Any, graph_config: Mapping[str, Any]) -> tuple[type[Node[Any]], Any]:
    """Return a node's class and checked data, or the stand-in with the reason in its data."""
    data = node_config["data"]
    kind = CLASSES.get(data.type)
    if data.type == T.VARIABLE_ASSIGNER:
        kind = AssignerV2 if data.get("items") is not None or str(data.version) == "2" else AssignerV1
    if data.type == T.CODE:
        reason = CODE_REASON
    elif kind is None:
        reason = f"Nodes of type '{data.type}' cannot run on this server"
    else:
        try:
            checked = kind.validate_node_data(data)
            # The engine sleeps between attempts and cannot be woken: neither may hold a thread for long.
            retry = checked.retry_config
            retry.max_retries = min(retry.max_retries, _MAX_RETRIES)
            retry.retry_interval = min(retry.retry_interval, _MAX_RETRY_MS)
            return kind, checked
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "data"
            reason = f"The node is not complete: {where}: {first['msg']}"
        except (ValueError, TypeError) as error:
            reason = f"The node is not complete: {error}"
    stand_in = data.model_copy(update={"unavailable_reason": reason})
    owns = any(node_config["id"] in _owners(node) for node in graph_config["nodes"])
    chosen: type[Node[Any]] = UnavailableContainer if owns else UnavailableNode
    return chosen, chosen.validate_node_data(stand_in)


def _owners(node: Mapping[str, Any]) -> tuple[Any, ...]:
    data = node["data"]
    return (node.get("parentId"), *(data.get(key) for key in ("container_id", "iteration_id", "loop_id")))
