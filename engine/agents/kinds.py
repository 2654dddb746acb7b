"""What the two kinds of agent nodes are made with."""

from __future__ import annotations

from typing import Any

from engine.agents.agent import Agent, rounds_of, strategy_of
from engine.agents.given import given_tools
from engine.services import Services


def easy_agent(services: Services, data: Any) -> dict[str, Any]:
    """Return the services of an ``agent-chat`` app's node."""

    def make() -> Agent:
        model = services.model(data.model)
        return Agent(
            model=model,
            strategy=strategy_of(data.strategy, model, data.prompt),
            tools=given_tools(services.tools, data.tools),
            context=services.tools.context,
            rounds=rounds_of(data.max_iteration),
        )

    return {"make_agent": make, "history": services.history}
