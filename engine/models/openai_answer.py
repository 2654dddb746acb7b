"""A streamed answer of the chat completions protocol, put together from its pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.models.openai_errors import BrokenOff, NoAnswer, TooMuch

_MOST_CALLS, _MOST_ARGUMENTS = 128, 1_000_000  # tools called at once, characters of a call's arguments


class Answer:
    """Puts the pieces of a streamed answer together. ``most`` bounds its bytes, with thoughts and calls; 0 does not."""

    def __init__(self, most: int = 0) -> None:
        self._most, self._count = most, 0
        self.calls: list[dict[str, str]] = []
        self.finish_reason: str | None = None
        self.prompt_tokens = self.completion_tokens = 0
        self._thinking = self._heard = False

    def add(self, event: Any) -> Iterator[str]:
        """Take one event in; yields the text it holds, thoughts between ``<think>`` and ``</think>``.

        Raises TooMuch.
        """
        self._heard = True
        if event.usage is not None:
            self.prompt_tokens = _count(event.usage.prompt_tokens)
            self.completion_tokens = _count(event.usage.completion_tokens)
        for choice in event.choices or []:
            if choice.index not in (0, None):
                continue
            self.finish_reason = choice.finish_reason or self.finish_reason
            delta = choice.delta
            if delta is None:
                continue
            extra = delta.model_extra or {}
            # No part of the protocol: DeepSeek, vLLM and llama.cpp say the one, OpenRouter the other.
            thought = extra.get("reasoning_content") or extra.get("reasoning")
            if isinstance(thought, str) and thought:
                self._weigh(thought)
                yield thought if self._thinking else f"<think>{thought}"
                self._thinking = True
            text = delta.content or getattr(delta, "refusal", None)
            if text:
                self._weigh(text)
                yield self._close() + text
            for call in delta.tool_calls or []:
                self._call(call)

    def rest(self, over: bool) -> Iterator[str]:
        """Yield what is still owed at the end; ``over`` says that the server marked it.

        Raises NoAnswer if nothing was heard, BrokenOff if it may not have been all.
        """
        if not self._heard:
            raise NoAnswer
        # Not every server marks the end, tells the usage and gives a reason; one that was cut off does none of it.
        if not over and self.finish_reason is None and not self.prompt_tokens:
            raise BrokenOff
        if self._thinking:
            yield self._close()

    def _close(self) -> str:
        closing = "</think>\n" if self._thinking else ""
        self._thinking = False
        return closing

    def _call(self, delta: Any) -> None:
        place = delta.index if isinstance(delta.index, int) else len(self.calls)
        # Some servers give every call the index 0 and tell them apart by their ids.
        known = self.calls[place] if place < len(self.calls) else None
        if known is None or (delta.id and known["id"] and delta.id != known["id"]):
            if len(self.calls) == _MOST_CALLS:
                raise ValueError("more calls than any model makes")
            known = {"id": "", "name": "", "arguments": ""}
            self.calls.append(known)
        known["id"] = delta.id or known["id"]
        if delta.function is not None:
            known["name"] += delta.function.name or ""
            known["arguments"] += delta.function.arguments or ""
            self._weigh(delta.function.arguments or "")
            if len(known["arguments"]) > _MOST_ARGUMENTS:
                raise ValueError("longer arguments than any tool takes")

    def _weigh(self, text: str) -> None:
        self._count += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if self._most and self._count > self._most:
            raise TooMuch(self._most)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
