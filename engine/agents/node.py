"""The ``agent`` node of workflows: a model with tools; its rounds are told as a tree of ``agent_log`` events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import BuiltinNodeTypes, WorkflowNodeExecutionMetadataKey, WorkflowNodeExecutionStatus
from graphon.model_runtime.entities.message_entities import PromptMessage
from graphon.node_events.base import NodeEventPayload, NodeRunResult
from graphon.node_events.node import StreamChunkEvent, StreamCompletedEvent
from graphon.nodes.base.node import Node
from graphon.variables.segments import ArrayFileSegment
from graphon.variables.template_resolution import convert_template
from pydantic import Field

from engine.agents.agent import Agent
from engine.agents.failure import failing_in_words
from engine.agents.log_tree import LogTree
from engine.agents.messages import question
from engine.agents.steps import Answered, RoundEnded, Said
from engine.events.jsonable import jsonable
from engine.files.runtime import graph_file
from engine.running.cancel import Cancelled


class AgentData(BaseNodeData):
    """``agent_parameters`` maps a name to ``{type, value}``: a constant, a template (mixed) or a variable."""

    type: str = BuiltinNodeTypes.AGENT
    agent_strategy_name: str = ""
    agent_parameters: dict[str, Any] = Field(default_factory=dict)
    memory: dict[str, Any] | None = None


class AgentNode(Node[AgentData]):
    """Streams the answer under ``text``."""

    node_type = BuiltinNodeTypes.AGENT

    def __init__(self, *, make_agent: Callable[[Mapping[str, Any]], Agent], history: Any, **options: Any) -> None:
        super().__init__(**options)
        self._make_agent, self._history = make_agent, history

    @property
    def retry(self) -> bool:
        """Whether a failed attempt is repeated: as the node says, like every node that asks a model."""
        return bool(self.node_data.retry_config.retry_enabled)

    @classmethod
    def version(cls) -> str:
        """The only version there is."""
        return "1"

    def _run(self) -> Generator[NodeEventPayload, None, None]:
        return failing_in_words(self._work())

    def _work(self) -> Generator[NodeEventPayload, None, None]:
        given = {name: self._value(one) for name, one in self.node_data.agent_parameters.items()}
        agent = self._make_agent({"strategy": self.node_data.agent_strategy_name, **given})
        query, instruction = str(given.get("query") or ""), str(given.get("instruction") or "")
        pool = self.runtime_state.variable_pool
        messages: list[PromptMessage] = question(agent.model, self._memory(), instruction, query, pool, {})
        log = LogTree(self.id, self.execution_id)
        ended: list[RoundEnded] = []
        try:
            for step in agent.run(instruction, messages):
                yield from log.events(step, agent)
                match step:
                    case Said():
                        yield StreamChunkEvent(selector=[self.id, "text"], chunk=step.text)
                    case RoundEnded():
                        ended.append(step)
                    case Answered():
                        yield StreamChunkEvent(selector=[self.id, "text"], chunk="", is_final=True)
                        yield StreamCompletedEvent(node_run_result=self._result(step, given, ended))
        except Cancelled:
            raise
        except Exception as error:
            yield from log.failed(str(error))
            raise

    def _result(self, step: Answered, given: Mapping[str, Any], ended: list[RoundEnded]) -> NodeRunResult:
        usage = step.usage
        files = [graph_file(file) for end in ended for one in end.results for file in one.files]
        values = [one.value for end in ended for one in end.results if isinstance(one.value, (dict, list))]
        return NodeRunResult(
            status=WorkflowNodeExecutionStatus.SUCCEEDED,
            inputs=jsonable({name: given[name] for name in ("query", "instruction") if name in given}),
            outputs={
                "text": step.text,
                "usage": usage.model_dump(mode="json"),
                "files": ArrayFileSegment(value=files),
                "json": values or [{"data": []}],
            },
            metadata={
                WorkflowNodeExecutionMetadataKey.TOTAL_TOKENS: usage.total_tokens,
                WorkflowNodeExecutionMetadataKey.TOTAL_PRICE: usage.total_price,
                WorkflowNodeExecutionMetadataKey.CURRENCY: usage.currency,
            },
            llm_usage=usage,
        )

    def _value(self, one: Any) -> Any:
        """A parameter's value: older exports have it bare."""
        pool = self.runtime_state.variable_pool
        kind, value = (one.get("type"), one.get("value")) if isinstance(one, Mapping) and "value" in one else ("", one)
        if kind == "variable" and isinstance(value, list):
            found = pool.get([str(part) for part in value])
            return None if found is None else found.to_object()
        if kind in ("mixed", "constant", "") and isinstance(value, str):
            return convert_template(pool, value).text
        return value

    def _memory(self) -> Any:
        memory = self.node_data.memory
        if not memory or self._history is None:
            return None
        window = memory.get("window") or {}
        return self._history.last(int(window.get("size") or 50)) if window.get("enabled") else self._history
