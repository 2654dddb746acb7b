"""The node types this server can run: for each its class and the services that its nodes are made with.

A new type is one line in `KINDS`, and a function if its nodes need services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphon.enums import BuiltinNodeTypes as T
from graphon.file.file_manager import file_manager
from graphon.model_runtime.entities.llm_entities import LLMMode
from graphon.nodes.base.node import Node
from graphon.nodes.code.code_node import CodeNode
from graphon.nodes.end.end_node import EndNode
from graphon.nodes.http_request.config import build_http_request_config
from graphon.nodes.http_request.node import HttpRequestNodeDependencies
from graphon.nodes.iteration.iteration_start_node import IterationStartNode
from graphon.nodes.llm.file_saver import FileSaverImpl
from graphon.nodes.loop.loop_end_node import LoopEndNode
from graphon.nodes.loop.loop_start_node import LoopStartNode
from graphon.nodes.start import StartNode
from graphon.nodes.template_transform.template_transform_node import TemplateTransformNode
from graphon.nodes.tool import ToolNode

from engine.agents.easy_node import EasyAgentNode
from engine.agents.kinds import agent, easy_agent
from engine.agents.node import AgentNode
from engine.documents.node import DocumentExtractorNode
from engine.files import service as files
from engine.files.runtime import MadeFiles
from engine.forms.node import HumanInputNode
from engine.knowledge.easy_node import EasyKnowledgeNode
from engine.knowledge.node import KnowledgeRetrievalNode
from engine.nodes import completion_prompt
from engine.nodes.aggregator import FirstValueNode
from engine.nodes.answer import TakenAnswerNode
from engine.nodes.assigners import FirstAssigner, SecondAssigner
from engine.nodes.code_executor import limits
from engine.nodes.conditions import ConditionalNode
from engine.nodes.containers import EachNode, RepeatNode
from engine.nodes.http_request import NamingHttpRequestNode
from engine.nodes.list_operator import ListNode
from engine.nodes.models import Classifier, Extractor, Writer
from engine.nodes.services import Serializer, Services
from engine.tools.runtime import ToolRuntime


def _nothing(services: Services, data: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Kind:
    """A node class, and what its nodes are made with: keyword arguments, from the run and the node's data."""

    node: type[Node[Any]]
    services: Callable[[Services, Any], dict[str, Any]] = _nothing


def _llm(services: Services, data: Any) -> dict[str, Any]:
    made: Any = MadeFiles(services.files)
    if services.history is None:
        data.memory = None  # a workflow has no conversation to remember
    if not completion_prompt.prepare(data) and data.memory and not data.memory.query_prompt_template:
        # The engine would take what the person typed for a template, with references to every variable there is.
        data.memory.query_prompt_template = "{{#sys.query#}}"
    return {
        "model_instance": services.model(data.model),
        "memory": services.history if data.memory else None,
        "llm_file_saver": FileSaverImpl.with_runtime(
            tool_file_manager=made, file_reference_factory=made, http_client=services.http_client
        ),
        "prompt_message_serializer": Serializer(),
        "jinja2_template_renderer": services.renderer,
    }


def _classifier(services: Services, data: Any) -> dict[str, Any]:
    made: Any = MadeFiles(services.files)
    return {
        "model_instance": services.model(data.model),
        "memory": services.history if data.memory else None,
        "llm_file_saver": FileSaverImpl.with_runtime(
            tool_file_manager=made, file_reference_factory=made, http_client=services.http_client
        ),
        "prompt_message_serializer": Serializer(),
        "template_renderer": services.renderer,
    }


def _extractor(services: Services, data: Any) -> dict[str, Any]:
    data.model.mode = LLMMode.CHAT  # the engine's node refuses the other one for a model that can call tools
    return {
        "model_instance": services.model(data.model),
        "memory": services.history if data.memory else None,
        "prompt_message_serializer": Serializer(),
    }


def _template(services: Services, data: Any) -> dict[str, Any]:
    return {"jinja2_template_renderer": services.renderer, "max_output_length": services.max_output_characters}


def _code(services: Services, data: Any) -> dict[str, Any]:
    return {"code_executor": services.code, "code_limits": limits(services.max_output_characters)}


def _documents(services: Services, data: Any) -> dict[str, Any]:
    return {"reader": files.current().reader, "cancel": services.cancel}


def _http(services: Services, data: Any) -> dict[str, Any]:
    made: Any = MadeFiles(services.files)
    return {
        "http_request_config": build_http_request_config(ssrf_default_max_retries=0),
        "dependencies": HttpRequestNodeDependencies(
            tool_file_manager_factory=lambda: made,
            file_manager=file_manager,
            file_reference_factory=made,
            http_client=services.http_client,
        ),
    }


def _tool(services: Services, data: Any) -> dict[str, Any]:
    return {"tool_file_manager": MadeFiles(services.files), "runtime": ToolRuntime(services.tools)}


def _human_input(services: Services, data: Any) -> dict[str, Any]:
    return {"desk": services.forms}


def _knowledge(services: Services, data: Any) -> dict[str, Any]:
    chooser = (data.single_retrieval_config or {}).get("model") if data.retrieval_mode == "single" else None
    return {
        "lookup": services.knowledge,
        "chooser": (lambda: services.model_written(chooser)) if isinstance(chooser, Mapping) else None,
    }


KINDS: dict[str, Kind] = {
    T.START: Kind(StartNode),
    T.END: Kind(EndNode),
    T.ANSWER: Kind(TakenAnswerNode),
    T.IF_ELSE: Kind(ConditionalNode),
    T.ITERATION: Kind(EachNode),
    T.ITERATION_START: Kind(IterationStartNode),
    T.LOOP: Kind(RepeatNode),
    T.LOOP_START: Kind(LoopStartNode),
    T.LOOP_END: Kind(LoopEndNode),
    T.VARIABLE_AGGREGATOR: Kind(FirstValueNode),
    T.LEGACY_VARIABLE_AGGREGATOR: Kind(FirstValueNode),
    T.VARIABLE_ASSIGNER: Kind(SecondAssigner),
    T.LIST_OPERATOR: Kind(ListNode),
    T.LLM: Kind(Writer, _llm),
    T.QUESTION_CLASSIFIER: Kind(Classifier, _classifier),
    T.PARAMETER_EXTRACTOR: Kind(Extractor, _extractor),
    T.CODE: Kind(CodeNode, _code),
    T.TEMPLATE_TRANSFORM: Kind(TemplateTransformNode, _template),
    T.DOCUMENT_EXTRACTOR: Kind(DocumentExtractorNode, _documents),
    T.HTTP_REQUEST: Kind(NamingHttpRequestNode, _http),
    T.KNOWLEDGE_RETRIEVAL: Kind(KnowledgeRetrievalNode, _knowledge),
    T.AGENT: Kind(AgentNode, agent),
    T.TOOL: Kind(ToolNode, _tool),
    "easy-agent": Kind(EasyAgentNode, easy_agent),
    "easy-knowledge": Kind(EasyKnowledgeNode, _knowledge),
    T.HUMAN_INPUT: Kind(HumanInputNode, _human_input),
}
_FIRST_ASSIGNER = Kind(FirstAssigner)


def kind_of(data: Any) -> Kind | None:
    """Return how nodes with this data (the engine's, unchecked) are made; None for a type nobody knows."""
    if data.type == T.VARIABLE_ASSIGNER and data.get("items") is None and str(data.version) != "2":
        return _FIRST_ASSIGNER
    return KINDS.get(data.type)
