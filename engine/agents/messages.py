"""The messages before an agent's first round: what was said earlier, and the question with its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphon.file import file_manager
from graphon.model_runtime.entities.message_entities import (
    ImagePromptMessageContent,
    PromptMessage,
    TextPromptMessageContent,
    UserPromptMessage,
)
from graphon.nodes.llm import llm_utils

from engine.models.base import BaseModelAdapter, sees


def question(
    model: BaseModelAdapter, history: Any, instruction: str, query: str, pool: Any, vision: Mapping[str, Any]
) -> list[PromptMessage]:
    """Return the history that fits the model beside ``instruction`` and ``query``, and the question."""
    settings = vision.get("configs") or {}
    detail = ImagePromptMessageContent.DETAIL(settings.get("detail") or "high")
    shows = bool(vision.get("enabled")) and sees(model)
    earlier: list[PromptMessage] = []
    if history is not None:
        beside = history.beside([instruction, query])
        beside = beside.seen(detail) if shows else beside
        earlier = list(beside.get_history_prompt_messages(max_token_limit=model.prompt_room))
    if not shows:
        return [*earlier, UserPromptMessage(content=query)]
    schema = model.get_model_schema()
    found = llm_utils.fetch_files(variable_pool=pool, selector=settings.get("variable_selector") or ["sys", "files"])
    told = [file_manager.to_prompt_message_content(file, image_detail_config=detail) for file in found]
    files = [one for one in told if schema.supports_prompt_content_type(one.type)]
    if not files:
        return [*earlier, UserPromptMessage(content=query)]
    return [*earlier, UserPromptMessage(content=[*files, TextPromptMessageContent(data=query)])]
