"""The rounds of a workflow's agent as a tree of ``agent_log`` events."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

from graphon.node_events.agent import AgentLogEvent

from engine.agents.agent import Agent
from engine.agents.steps import Calling, Observed, RoundBegun, RoundEnded, Step, Thought, by_tool
from store.clock import current_ids


class LogTree:
    """Makes the tree: a round, in it the model's thought and each call of a tool."""

    def __init__(self, node_id: str, execution_id: str) -> None:
        self._node_id, self._execution_id = node_id, execution_id
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
        return AgentLogEvent(
            **event,
            status=status,
            error=error,
            data=data,
            node_execution_id=self._execution_id,
            node_id=self._node_id,
        )
