"""What the two kinds of agent nodes are made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.agents.agent import Agent, rounds_of, strategy_of
from engine.agents.given import given_tools
from engine.knowledge.tool import dataset_tools
from engine.nodes.services import Services


def easy_agent(services: Services, data: Any) -> dict[str, Any]:
    """Return the services of an ``agent-chat`` app's node."""

    def make() -> Agent:
        model = services.model(data.model)
        return Agent(
            model=model,
            strategy=strategy_of(data.strategy, model, data.prompt),
            tools=[*given_tools(services.tools, data.tools), *dataset_tools(services.knowledge, data.knowledge)],
            context=services.tools.context,
            rounds=rounds_of(data.max_iteration),
        )

    return {"make_agent": make, "history": services.history}


def agent(services: Services, data: Any) -> dict[str, Any]:
    """Return the services of a workflow's ``agent`` node."""

    def make(given: Mapping[str, Any]) -> Agent:
        chosen = given.get("model")
        model = services.model_written(chosen if isinstance(chosen, Mapping) else {})
        tools = given.get("tools")
        listed = tools if isinstance(tools, list) else []
        return Agent(
            model=model,
            strategy=strategy_of(str(given.get("strategy") or ""), model),
            tools=given_tools(services.tools, [one for one in listed if isinstance(one, Mapping)]),
            context=services.tools.context,
            rounds=rounds_of(given.get("maximum_iterations")),
        )

    return {"make_agent": make, "history": services.history}
