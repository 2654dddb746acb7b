"""The loop of an agent: ask the model, call the tools it wants, tell it what they gave, until it answers."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageTool, SystemPromptMessage
from graphon.model_runtime.entities.model_entities import ModelFeature

from engine.agents.function_calling import FunctionCalling
from engine.agents.react import ReAct
from engine.agents.steps import (
    AgentGaveUp,
    Answered,
    Call,
    Calling,
    Observed,
    RoundBegun,
    RoundEnded,
    Said,
    Step,
    Thought,
)
from engine.agents.strategy import Strategy
from engine.models.base import BaseModelAdapter
from engine.tools.tool import Tool, ToolContext, ToolProblem

MAX_ROUNDS, DEFAULT_ROUNDS = 99, 10
_MAX_OBSERVATION = 40_000  # characters; what a tool gives is in every later prompt


@dataclass(frozen=True)
class Given:
    """A tool as an agent has it: under a name of its own, some arguments already given by the author."""

    name: str
    tool: Tool
    arguments: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    def for_model(self) -> PromptMessageTool:
        """Return the tool as a model is told of it."""
        return PromptMessageTool(
            name=self.name,
            description=self.description or self.tool.description,
            parameters=self.tool.schema(self.arguments),
        )


def rounds_of(value: Any) -> int:
    """Return how many rounds with tools an author allows: 1 to 99, 10 without a word."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        return DEFAULT_ROUNDS
    return max(1, min(number, MAX_ROUNDS))


def strategy_of(name: str, model: BaseModelAdapter, prompt: str = "") -> Strategy:
    """Return the strategy an author chose; a model that knows no tools is asked in text whatever was chosen."""
    wanted = name.strip().lower().replace("-", "_")
    if wanted in ("react", "cot") or ModelFeature.TOOL_CALL not in (model.get_model_schema().features or []):
        return ReAct(prompt)
    return FunctionCalling()


@dataclass(frozen=True)
class Agent:
    """One agent for one question. ``rounds`` bounds the rounds with tools; one more is for the answer."""

    model: BaseModelAdapter
    strategy: Strategy
    tools: Sequence[Given]
    context: ToolContext
    rounds: int

    def run(self, instruction: str, messages: Sequence[PromptMessage]) -> Generator[Step, None, None]:
        """Yield what happens. ``messages`` are the history and the question.

        Raises AgentGaveUp when the rounds are used up, and what the model raises.
        """
        offered = [given.for_model() for given in self.tools]
        system = self.strategy.system(instruction, offered)
        prompt: list[PromptMessage] = [*([SystemPromptMessage(content=system)] if system else []), *messages]
        usage, said = LLMUsage.empty_usage(), ""
        rounds = self.rounds if offered else 0
        for position in range(1, rounds + 2):
            self.context.cancel.check()
            yield RoundBegun(position)
            asking = self.strategy.ask(self.model, prompt, offered, position > rounds)
            while True:
                try:
                    piece = next(asking)
                except StopIteration as done:
                    turn = done.value
                    break
                said += piece
                yield Said(piece)
            usage = usage.plus(turn.usage)
            thought = Thought(position, turn.thought, turn.calls, turn.usage)
            yield thought
            if turn.answer is not None:
                yield RoundEnded(position, thought, ())
                yield Answered(said, usage)
                return
            if position > rounds:
                break
            results: list[Observed] = []
            for call in turn.calls:
                yield Calling(position, call)
                results.append(self._observe(position, call))
                yield results[-1]
            yield RoundEnded(position, thought, tuple(results))
            prompt += [turn.message, *self.strategy.observe(results)]
        raise AgentGaveUp(f"The agent did not come to an answer within {self.rounds} rounds")

    def _observe(self, position: int, call: Call) -> Observed:
        given = next((one for one in self.tools if one.name == call.name), None)
        if given is None:
            names = ", ".join(one.name for one in self.tools)
            return Observed(position, call, f"There is no tool '{call.name}'; there are: {names}", True)
        arguments = call.arguments
        if arguments is None:
            open_ones = [one for one in given.tool.parameters if one.name not in given.arguments]
            if len(open_ones) != 1:
                return Observed(position, call, f"The arguments of '{call.name}' must be a JSON object", True)
            arguments = {open_ones[0].name: call.written}
        try:
            # What the author gave is not the model's to change.
            result = given.tool.run({**arguments, **given.arguments}, self.context)
        except ToolProblem as problem:
            return Observed(position, call, f"The tool failed: {problem}", True)
        text = result.text or json.dumps(result.value, ensure_ascii=False)
        if len(text) > _MAX_OBSERVATION:
            text = text[:_MAX_OBSERVATION] + " … (cut)"
        return Observed(position, call, text, False, result.value, result.resources, result.files)
