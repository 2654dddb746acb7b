"""The node that answers in an ``agent-chat`` app; its logs become ``agent_thought`` and ``message_file`` events."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import WorkflowNodeExecutionStatus
from graphon.node_events.agent import AgentLogEvent
from graphon.node_events.base import NodeEventPayload, NodeRunResult
from graphon.node_events.node import RunRetrieverResourceEvent, StreamChunkEvent, StreamCompletedEvent
from graphon.nodes.base.node import Node
from graphon.nodes.llm.entities import ModelConfig
from graphon.variables.template_resolution import convert_template
from pydantic import Field

from engine.agents.agent import Agent
from engine.agents.failure import failing_in_words
from engine.agents.messages import question
from engine.agents.steps import Answered, Observed, RoundBegun, RoundEnded, Said, Thought, by_tool
from store.clock import current_ids

LABEL, FILE = "agent_thought", "message_file"


class EasyAgentData(BaseNodeData):
    """``instruction`` and ``query`` are templates; the rest is what `engine.nodes.kinds` makes the agent from."""

    type: str = "easy-agent"
    model: ModelConfig
    instruction: str = ""
    query: str = ""
    strategy: str = ""
    prompt: str = ""
    max_iteration: Any = None
    tools: list[dict[str, Any]] = Field(default_factory=list)
    knowledge: dict[str, Any] | None = None
    vision: dict[str, Any] = Field(default_factory=dict)


class EasyAgentNode(Node[EasyAgentData]):
    """Streams what the agent says and logs each round as it proceeds."""

    node_type = "easy-agent"

    def __init__(self, *, make_agent: Callable[[], Agent], history: Any, **options: Any) -> None:
        super().__init__(**options)
        self._make_agent, self._history = make_agent, history

    @classmethod
    def version(cls) -> str:
        """The only version there is."""
        return "1"

    def _run(self) -> Generator[NodeEventPayload, None, None]:
        return failing_in_words(self._work())

    def _work(self) -> Generator[NodeEventPayload, None, None]:
        agent, pool = self._make_agent(), self.runtime_state.variable_pool
        query = convert_template(pool, self.node_data.query).text
        instruction = convert_template(pool, self.node_data.instruction).text
        messages = question(agent.model, self._history, instruction, query, pool, self.node_data.vision)
        thought = _Thought("", 0)
        for step in agent.run(instruction, messages):
            match step:
                case RoundBegun():
                    thought = _Thought(current_ids().uuid7(), step.position)
                    yield self._log(thought.payload(agent))
                case Said():
                    yield StreamChunkEvent(selector=[self.id, "text"], chunk=step.text)
                case Thought():
                    thought.told = step
                    yield self._log(thought.payload(agent))
                case Observed():
                    for file in step.files:
                        yield self._log(dict(file), FILE)
                    if step.resources:
                        yield RunRetrieverResourceEvent(retriever_resources=step.resources, context="")
                case RoundEnded() if step.results:
                    yield self._log(thought.payload(agent, step.results))
                case Answered():
                    yield StreamChunkEvent(selector=[self.id, "text"], chunk="", is_final=True)
                    result = NodeRunResult(
                        status=WorkflowNodeExecutionStatus.SUCCEEDED,
                        inputs={"query": query},
                        outputs={"text": step.text, "usage": step.usage.model_dump(mode="json")},
                        llm_usage=step.usage,
                    )
                    yield StreamCompletedEvent(node_run_result=result)

    def _log(self, data: dict[str, Any], label: str = LABEL) -> AgentLogEvent:
        return AgentLogEvent(
            message_id=str(data["id"]),
            label=label,
            node_execution_id=self.execution_id,
            parent_id=None,
            error=None,
            status="success",
            data=data,
            node_id=self.id,
        )


class _Thought:
    """One round, as its event tells it so far."""

    def __init__(self, thought_id: str, position: int) -> None:
        self._id, self._position = thought_id, position
        self.told: Thought | None = None

    def payload(self, agent: Agent, results: Sequence[Observed] = ()) -> dict[str, Any]:
        calls = self.told.calls if self.told else ()
        labels = {given.name: {"en_US": given.tool.label, "zh_Hans": given.tool.label} for given in agent.tools}
        inputs = by_tool((call.name, call.given) for call in calls)
        observed = by_tool((one.call.name, one.text) for one in results)
        return {
            "id": self._id,
            "position": self._position,
            "thought": self.told.text if self.told else "",
            "observation": _json(observed),
            "tool": ";".join(call.name for call in calls),
            "tool_labels": {call.name: labels[call.name] for call in calls if call.name in labels},
            "tool_input": _json(inputs),
            "message_files": [file["related_id"] for one in results for file in one.files],
        }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""
