"""The two kinds of body a definition has: a workflow with its graph, or a model configuration."""

from __future__ import annotations

from typing import Any

from engine.definition.adapt import typed_variable
from engine.definition.config_document import config_warnings, mail_warnings, moderation_warnings, speech_warnings
from engine.definition.error import Problem
from engine.definition.graph_document import MOST_VARIABLES, graph, input_variable
from engine.definition.graph_warnings import unknown_references

_LONGEST_SECRETS = 200_000
_STRATEGIES = ("function_call", "react")


def workflow(value: dict[str, Any], mode: str, warnings: list[str]) -> dict[str, Any]:
    """The document of a workflow or advanced-chat app. Raises Problem."""
    body = value.get("workflow")
    if not isinstance(body, dict) or not body:
        raise Problem("Missing workflow data for workflow/advanced chat app", "workflow")
    features = body.get("features")
    if features is not None and not isinstance(features, dict):
        warnings.append("workflow.features was not a mapping; it was left out.")
    elif features:
        warnings += moderation_warnings(features) + speech_warnings(features)
    drawn = graph(body.get("graph"), warnings)
    warnings += mail_warnings(drawn["nodes"])
    document = {
        "mode": mode,
        "graph": drawn,
        "features": features if isinstance(features, dict) else {},
        "environment_variables": _named(body, "environment_variables", warnings),
        "conversation_variables": _named(body, "conversation_variables", warnings),
    }
    warnings += unknown_references(document)
    return document


def _named(body: dict[str, Any], key: str, warnings: list[str]) -> list[dict[str, Any]]:
    items = body.get(key) or []
    if not isinstance(items, list):
        raise Problem("This must be a list", "workflow", key)
    if len(items) > MOST_VARIABLES:
        raise Problem(f"There are more than {MOST_VARIABLES} variables", "workflow", key)
    names: set[str] = set()
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
            raise Problem("A variable needs a name", "workflow", key, index)
        if item["name"] in names:
            raise Problem(f"The variable '{item['name']}' is given twice", "workflow", key, index, "name")
        names.add(item["name"])
    # Every event of every run is searched for them.
    if sum(len(str(item.get("value"))) for item in items if item.get("value_type") == "secret") > _LONGEST_SECRETS:
        raise Problem(f"The secret values have more than {_LONGEST_SECRETS} characters together", "workflow", key)
    return [typed_variable(item, warnings) for item in items]


def model_config(value: dict[str, Any], mode: str, warnings: list[str]) -> dict[str, Any]:
    """The document of a chat, agent-chat or completion app. Raises Problem."""
    config = value.get("model_config")
    if not isinstance(config, dict) or not config:
        raise Problem("Missing model_config for chat/agent-chat/completion app", "model_config")
    form = config.get("user_input_form") or []
    if not isinstance(form, list):
        raise Problem("This must be a list", "model_config", "user_input_form")
    if len(form) > MOST_VARIABLES:
        raise Problem(f"There are more than {MOST_VARIABLES} variables", "model_config", "user_input_form")
    seen: set[str] = set()
    for index, row in enumerate(form):
        at = ("model_config", "user_input_form", index)
        if not isinstance(row, dict) or len(row) != 1:
            raise Problem("An entry must have one key, the type of the variable", *at)
        ((kind, item),) = row.items()
        input_variable(kind, item, seen, warnings, (*at, kind))
    agent = config.get("agent_mode")
    if mode == "chat" and isinstance(agent, dict) and agent.get("enabled") and agent.get("strategy") in _STRATEGIES:
        warnings.append("The chat's agent is switched on; the app was read as 'agent-chat'.")
        mode = "agent-chat"
    warnings += config_warnings(config)
    return {"mode": mode, "model_config": {**config, "user_input_form": form}}
