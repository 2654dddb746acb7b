"""What a run has said so far, and how secrets stay out of it that only show when its pieces are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.events.veil import Veil

_PIECES = ("message", "agent_message", "text_chunk")


class Said:
    """``answer`` is what was said before this process; ``secrets`` are the values to keep out."""

    def __init__(self, answer: str, secrets: Iterable[str]) -> None:
        self._texts = [answer] if answer else []
        # Whether the author's answer took the place of what the run says.
        self.replaced = False
        self._veil = Veil(secrets)
        self._last: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text told so far."""
        return "".join(self._texts)

    def note(self, payload: Mapping[str, Any]) -> None:
        """Take note of an event that is told."""
        match payload["event"]:
            case "message" | "agent_message" | "text_chunk":
                self._texts.append(_words(payload))
            case "message_replace":
                self._texts = [payload["answer"]]
                self.replaced = self.replaced or bool(payload["reason"])
            case "text_replace":
                self._texts = [payload["data"]["text"]]

    def veiled(self, payloads: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """The events as they can be told; a piece that may be the beginning of a secret comes later."""
        return self._pieces(payloads) if self._veil else payloads

    def kept(self) -> list[dict[str, Any]]:
        """What was kept back, when nothing follows it."""
        rest = self._veil.rest()
        return [_with_words(self._last, rest)] if rest and self._last else []

    def _pieces(self, payloads: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for payload in payloads:
            if payload["event"] not in _PIECES:
                yield from self.kept()
                yield payload
                continue
            self._last = payload
            if shown := self._veil.pass_on(_words(payload)):
                yield _with_words(payload, shown)


def _words(piece: Mapping[str, Any]) -> str:
    return str(piece["data"]["text"] if piece["event"] == "text_chunk" else piece["answer"])


def _with_words(piece: dict[str, Any], words: str) -> dict[str, Any]:
    if piece["event"] == "text_chunk":
        return {**piece, "data": {**piece["data"], "text": words}}
    return {**piece, "answer": words}
