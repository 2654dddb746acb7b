"""The ``agent`` node of workflows: a model with tools; its rounds are told as a tree of ``agent_log`` events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import BuiltinNodeTypes, WorkflowNodeExecutionMetadataKey, WorkflowNodeExecutionStatus
from graphon.model_runtime.entities.message_entities import PromptMessage
from graphon.node_events.agent import AgentLogEvent
from graphon.node_events.base import NodeEventPayload, NodeRunResult
from graphon.node_events.node import StreamChunkEvent, StreamCompletedEvent
from graphon.nodes.base.node import Node
from graphon.variables.segments import ArrayFileSegment
from graphon.variables.template_resolution import convert_template
from pydantic import Field

from engine.agents.agent import Agent
from engine.agents.failure import failing_in_words
from engine.agents.messages import question
from engine.agents.steps import Answered, Calling, Observed, RoundBegun, RoundEnded, Said, Step, Thought, by_tool
from engine.events.jsonable import jsonable
from engine.files.runtime import graph_file
from engine.running.cancel import Cancelled
from store.clock import current_ids


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
        log = _Log(self)
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


class _Log:
    """Makes the tree: a round, in it the model's thought and each call of a tool."""

    def __init__(self, node: AgentNode) -> None:
        self._node = node
        # What has begun and not ended, outermost first: its event, and when it began.
        self._open: list[tuple[dict[str, Any], float]] = []

    def events(self, step: Step, agent: Agent) -> Generator[AgentLogEvent, None, None]:
        """Yield what a step adds to the tree."""
        match step:
            case RoundBegun():
                yield self._begin(f"ROUND {step.position}", {})
                yield self._begin(f"{agent.model.model_name} Thought", {}, provider=agent.model.provider)
            case Thought():
                calls = [{"name": call.name, "arguments": call.given} for call in step.calls]
                yield self._end({"output": step.text, "tool_calls": calls}, tokens=step.usage.total_tokens)
            case Calling():
                yield self._begin(f"CALL {step.call.name}", {"arguments": step.call.given})
            case Observed():
                data = {"arguments": step.call.given, "output": step.text}
                yield self._end(data, step.text if step.failed else None)
            case RoundEnded():
                observed = by_tool((one.call.name, one.text) for one in step.results)
                yield self._end({"output": step.thought.text, "observation": observed})

    def failed(self, error: str) -> Generator[AgentLogEvent, None, None]:
        """Yield the end of everything that is open."""
        while self._open:
            yield self._end({}, error)

    def _begin(self, label: str, data: dict[str, Any], **metadata: Any) -> AgentLogEvent:
        parent = self._open[-1][0]["message_id"] if self._open else None
        began = time.perf_counter()
        event = {"message_id": current_ids().uuid7(), "label": label, "parent_id": parent}
        event["metadata"] = {"started_at": round(began, 6), **metadata}
        self._open.append((event, began))
        return self._event(event, "start", data)

    def _end(self, data: dict[str, Any], error: str | None = None, tokens: int | None = None) -> AgentLogEvent:
        event, began = self._open.pop()
        ended = time.perf_counter()
        times = {"finished_at": round(ended, 6), "elapsed_time": round(ended - began, 6)}
        metadata = {**event["metadata"], **times, **({} if tokens is None else {"total_tokens": tokens})}
        return self._event({**event, "metadata": metadata}, "error" if error else "success", data, error)

    def _event(
        self, event: dict[str, Any], status: str, data: dict[str, Any], error: str | None = None
    ) -> AgentLogEvent:
        node = self._node
        return AgentLogEvent(
            **event, status=status, error=error, data=data, node_execution_id=node.execution_id, node_id=node.id
        )
