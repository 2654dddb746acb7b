"""Apps without a workflow (``chat``, ``agent-chat``, ``completion``) as small graphs: start → what datasets say →
model or agent → answer.

The definition says what the model is told in ``{{placeholders}}``; here they become references into the engine's
variables. Values never become part of a template themselves, so what a person types is never read as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from engine.definition.easy_text import QUERY, START, EasyText, inert
from engine.events.moderation import blocked_answer
from engine.inputs.parameters import features_of
from engine.inputs.variables import WORKFLOW_MODES
from engine.knowledge.named import knowledge_of

KNOWLEDGE, MODEL, ANSWER = "knowledge", "llm", "answer"
_PASSAGES, _BLOCK = "{{#knowledge.text#}}", "{{#knowledge.block#}}"
_DETAILS = ("high", "low")
_ROLES = ("system", "user", "assistant")


def as_graph(document: Mapping[str, Any], inputs: Mapping[str, Any], query: str | None) -> dict[str, Any]:
    """Return the document with a graph, made from its ``model_config``; a workflow's own is kept.

    When the author's word list forbids what was sent, the graph only says the author's answer.
    ``inputs`` are the checked ones: a placeholder whose input has no value stays as it is written.
    """
    mode = document["mode"]
    start = _node(START, "start", title="Start", variables=[])
    features = features_of(document)
    blocked = None if mode == "workflow" else blocked_answer(features, inputs, query)
    if blocked is not None:
        answer = _node(ANSWER, "answer", title="Answer", answer=inert(blocked))
        return _document(document, [start, answer])
    if mode in WORKFLOW_MODES:
        return dict(document)
    config, agent = document["model_config"], mode == "agent-chat"
    knowledge = knowledge_of(config, agent=agent)
    # An agent asks for what it needs; the others are told before they answer.
    context = _PASSAGES if knowledge and not agent else ""
    text = EasyText((name for name, value in inputs.items() if value is not None), context)
    answer = _node(ANSWER, "answer", title="Answer", answer="{{#%s.text#}}" % MODEL)  # noqa: UP031
    if agent:
        return _document(document, [start, _agent(config, text, knowledge), answer])
    model = _model(mode, config, text, query or "")
    if knowledge is None:
        return _document(document, [start, model, answer])
    return _document(document, [start, _lookup(mode, config, knowledge, model), model, answer])


def _lookup(
    mode: str, config: Mapping[str, Any], knowledge: Mapping[str, Any], model: dict[str, Any]
) -> dict[str, Any]:
    """The node that looks things up; its ``model`` is told what was found."""
    data, before = model["data"], ""
    # For what the answer rests on; the prompt takes the passages in as a value.
    data["context"] = {"enabled": True, "variable_selector": [KNOWLEDGE, "result"]}
    template, memory = data["prompt_template"], data["memory"] or {}
    prompts = [*(one["text"] for one in template), memory.get("query_prompt_template", "")]
    if not any(_PASSAGES in prompt for prompt in prompts):
        if template and template[0]["role"] == "system":
            before = "\n\n"
            template[0]["text"] += _BLOCK
        else:
            template.insert(0, {"role": "system", "text": _BLOCK})
    asked = str(config.get("dataset_query_variable") or "") if mode == "completion" else ""
    selector = [START, asked] if asked else ["sys", "query"]
    return _node(
        KNOWLEDGE,
        "easy-knowledge",
        title="Knowledge",
        query_variable_selector=selector,
        before=before,
        single_retrieval_config={"model": model_of(config)},
        **knowledge,
    )


def _model(mode: str, config: Mapping[str, Any], text: EasyText, query: str) -> dict[str, Any]:
    memory = (
        None if mode == "completion" else {"window": {"enabled": False, "size": 50}, "query_prompt_template": QUERY}
    )
    completion = _part(config, "completion_prompt_config", "prompt")
    written = _part(config, "chat_prompt_config").get("prompt")
    chat = [one for one in written if isinstance(one, Mapping)] if isinstance(written, list) else []
    advanced = config.get("prompt_type") == "advanced"
    template: Any
    if advanced and chat:
        template = [{"role": _role(one), "text": text(one.get("text"))} for one in chat]
        if memory and template[-1]["role"] == "user" and QUERY in template[-1]["text"]:
            # What the person asked comes after the history, in the author's words around it.
            memory["query_prompt_template"] = template.pop()["text"]
        elif not memory and query and not any(QUERY in one["text"] for one in template):
            template.append({"role": "user", "text": QUERY})
    elif advanced and completion:
        template = [{"role": "user", "text": text(completion.get("text"))}]
        if memory and QUERY in template[0]["text"]:
            memory["query_prompt_template"] = template.pop()["text"]
    else:
        told = text(config.get("pre_prompt"))
        asked = memory is not None or bool(query)
        template = [{"role": "system" if asked else "user", "text": told}] if told else []
        if asked and memory is None:
            template.append({"role": "user", "text": QUERY})
    return _node(
        MODEL,
        "llm",
        title="Model",
        model=model_of(config),
        prompt_template=template,
        memory=memory,
        context={"enabled": False, "variable_selector": []},
        vision=_vision(config),
    )


def _agent(config: Mapping[str, Any], text: EasyText, knowledge: Mapping[str, Any] | None) -> dict[str, Any]:
    agent = _part(config, "agent_mode")
    listed = agent.get("tools")
    tools = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return _node(
        MODEL,
        "easy-agent",
        title="Agent",
        model=model_of(config),
        instruction=text(config.get("pre_prompt")),
        query=QUERY,
        strategy=str(agent.get("strategy") or "function_call"),
        prompt=str(_part(agent, "prompt").get("first_prompt") or ""),
        max_iteration=agent.get("max_iteration"),
        tools=[one for one in tools if one.get("tool_name") and one.get("enabled", True)],
        knowledge=knowledge,
        vision=_vision(config),
    )


def model_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``model`` member as the engine's nodes want it."""
    model = _part(config, "model")
    return {
        "provider": str(model.get("provider") or ""),
        "name": str(model.get("name") or ""),
        # Completion models are called like chat models; which one it is, is the provider's business.
        "mode": "chat",
        "completion_params": dict(_part(model, "completion_params")),
    }


def _vision(config: Mapping[str, Any]) -> dict[str, Any]:
    upload = _part(config, "file_upload")
    image = _part(upload, "image")
    detail = image.get("detail")
    return {
        "enabled": bool(image.get("enabled") or upload.get("enabled")),
        "configs": {"variable_selector": ["sys", "files"], "detail": detail if detail in _DETAILS else "high"},
    }


def _document(document: Mapping[str, Any], nodes: list[dict[str, Any]]) -> dict[str, Any]:
    pairs = [(one["id"], other["id"]) for one, other in pairwise(nodes)]
    edges = [{"id": f"{a}-{b}", "source": a, "target": b, "sourceHandle": "source"} for a, b in pairs]
    return {
        "features": {},
        "environment_variables": [],
        "conversation_variables": [],
        **document,
        "graph": {"nodes": nodes, "edges": edges},
    }


def _node(node_id: str, kind: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "data": {"type": kind, **data}}


def _role(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    return role if isinstance(role, str) and role in _ROLES else "system"


def _part(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A mapping within another one; empty where a stranger wrote something else."""
    for name in names:
        inner = value.get(name)
        value = inner if isinstance(inner, Mapping) else {}
    return value
