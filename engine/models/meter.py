"""The tokens that a run's models took, told at any moment: also those of answers that were not finished."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A run in progress has a meter before the engine is loaded.
    from graphon.model_runtime.entities.llm_entities import LLMResultChunk


class Meter:
    """One per run. ``before`` is the `total` of the process that ran it before."""

    def __init__(self, before: Mapping[str, int] | None = None) -> None:
        before = before or {}
        self._prompt, self._completion = before.get("prompt_tokens", 0), before.get("completion_tokens", 0)
        self._lock = threading.Lock()

    def total(self) -> dict[str, int]:
        """Return the tokens so far, as ``usage`` names them."""
        with self._lock:
            prompt, completion = self._prompt, self._completion
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def counted(
        self, pieces: Iterable[LLMResultChunk], prompt: Callable[[], int]
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the pieces of one answer; each counts as a token, and ``prompt`` estimates what was asked, until the
        usage is told. What is refused has cost nothing.
        """
        estimated: tuple[int, int] | None = None
        for piece in pieces:
            usage = piece.delta.usage
            if usage is not None:
                was = estimated or (0, 0)
                self._add(usage.prompt_tokens - was[0], usage.completion_tokens - was[1])
                estimated = usage.prompt_tokens, usage.completion_tokens
            elif estimated is None:
                estimated = prompt(), 1
                self._add(*estimated)
            else:
                estimated = estimated[0], estimated[1] + 1
                self._add(0, 1)
            yield piece

    def _add(self, prompt: int, completion: int) -> None:
        with self._lock:
            self._prompt += prompt
            self._completion += completion
