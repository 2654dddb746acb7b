"""Prompts that are one text, as definitions for completion models have them."""

from __future__ import annotations

from typing import Any

from graphon.nodes.llm.entities import LLMNodeCompletionModelPromptTemplate
from graphon.prompt_entities import MemoryConfig

_HISTORIES, _QUERY = "{{#histories#}}", "{{#sys.query#}}"
_PLACE = "#histories#"  # what the engine puts the history in place of, or before everything
_ROLES = MemoryConfig.RolePrefix(user="Human", assistant="Assistant")


def prepare(data: Any) -> bool:
    """Change the data of a node whose prompt is one text so that the engine fills it in; returns whether it is.

    The history stands where the author says, else before the prompt; the question of a node with memory stands
    where the author says, else after it.
    """
    template, memory = data.prompt_template, data.memory
    if not isinstance(template, LLMNodeCompletionModelPromptTemplate):
        return False
    if memory:
        memory.role_prefix = memory.role_prefix or _ROLES
        query = memory.query_prompt_template or _QUERY
        if query not in template.text and _QUERY not in template.text:
            template.text += f"\n{query}"
        # The engine would put it before the prompt as it is written.
        memory.query_prompt_template = None
    template.text = _placed(template.text, bool(memory))
    template.jinja2_text = template.jinja2_text and _placed(template.jinja2_text, bool(memory))
    return True


def _placed(text: str, remembers: bool) -> str:
    placed = text.replace(_HISTORIES, _PLACE)
    return placed if _PLACE in placed else f"{_PLACE}\n{text}" if remembers else f"{_PLACE}{text}"
