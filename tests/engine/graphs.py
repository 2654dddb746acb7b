"""Short ways to write the graphs that tests run."""

from __future__ import annotations

from typing import Any


def node(node_id: str, kind: str, parent: str | None = None, **data: Any) -> dict[str, Any]:
    """One node of a graph."""
    made: dict[str, Any] = {"id": node_id, "data": {"type": kind, "title": node_id.title(), **data}}
    if parent:
        made |= {"parentId": parent}
    return made


def edge(source: str, target: str, handle: str = "source") -> dict[str, str]:
    """One edge of a graph."""
    return {"id": f"{source}-{handle}-{target}", "source": source, "target": target, "sourceHandle": handle}


def document(
    nodes: list[dict[str, Any]], edges: list[dict[str, Any]], mode: str = "workflow", **extra: Any
) -> dict[str, Any]:
    """A normalised definition."""
    return {
        "mode": mode,
        "graph": {"nodes": nodes, "edges": edges},
        "features": {},
        "environment_variables": [],
        "conversation_variables": [],
        **extra,
    }


def llm(node_id: str, prompt: str = "{{#sys.query#}}", **parameters: Any) -> dict[str, Any]:
    """An LLM node on the echo model."""
    return node(
        node_id,
        "llm",
        model={"provider": "echo", "name": "echo", "mode": "chat", "completion_params": parameters},
        prompt_template=[{"role": "user", "text": prompt}],
        context={"enabled": False, "variable_selector": []},
        vision={"enabled": False},
    )


def template(node_id: str, text: str, **selectors: list[str]) -> dict[str, Any]:
    """A template node; keyword arguments name its variables."""
    variables = [{"variable": name, "value_selector": selector} for name, selector in selectors.items()]
    return node(node_id, "template-transform", template=text, variables=variables)


def end(node_id: str = "end", **outputs: list[str]) -> dict[str, Any]:
    """An end node; keyword arguments name its outputs."""
    chosen = [{"variable": name, "value_selector": selector} for name, selector in outputs.items()]
    return node(node_id, "end", outputs=chosen)


def chat_document(*, delay_ms: int = 0, chunks: int = 0, error: str = "", **extra: Any) -> dict[str, Any]:
    """start → llm → answer, with the echo model steered by the parameters."""
    steer = {k: v for k, v in (("delay_ms", delay_ms), ("chunks", chunks), ("error", error)) if v}
    nodes = [
        node("start", "start", variables=[]),
        llm("llm", **steer),
        node("answer", "answer", answer="{{#llm.text#}}"),
    ]
    return document(nodes, [edge("start", "llm"), edge("llm", "answer")], "advanced-chat", **extra)


def chain_document(middle: dict[str, Any], output: str = "output", **extra: Any) -> dict[str, Any]:
    """start → the given node → end."""
    nodes = [node("start", "start", variables=[]), middle, end(result=[middle["id"], output])]
    return document(nodes, [edge("start", middle["id"]), edge(middle["id"], "end")], **extra)


def code(
    node_id: str, text: str, language: str = "python3", *, error_strategy: str | None = None, **outputs: str
) -> dict[str, Any]:
    """A code node without variables; keyword arguments name its outputs and their types."""
    declared = {name: {"type": kind, "children": None} for name, kind in outputs.items()}
    extra = {"error_strategy": error_strategy} if error_strategy else {}
    return node(node_id, "code", code=text, code_language=language, outputs=declared, variables=[], **extra)
