"""The word list an author may put before and after the model (``sensitive_word_avoidance`` of type ``keywords``).

The other types ask a service that this server does not have; an app with one runs without it (import says so).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keywords(config: Mapping[str, Any]) -> list[str]:
    """Return the words, in lower case; empty when there is no such list or it is switched off."""
    avoidance = config.get("sensitive_word_avoidance") or {}
    if not isinstance(avoidance, Mapping) or not avoidance.get("enabled") or avoidance.get("type") != "keywords":
        return []
    given = avoidance.get("config")
    listed = given.get("keywords") if isinstance(given, Mapping) else None
    lines = listed.split("\n") if isinstance(listed, str) else []
    return [line.strip().lower() for line in lines if line.strip()]


def blocked_answer(config: Mapping[str, Any], inputs: Mapping[str, Any], query: str | None) -> str | None:
    """Return the author's answer when a listed word is in what was sent, or None."""
    preset = _preset(config, "inputs_config")
    if preset is None:
        return None
    said = "\n".join([query or "", *(value for value in inputs.values() if isinstance(value, str))]).lower()
    return preset if any(word in said for word in keywords(config)) else None


class OutputCheck:
    """Watches an answer as it grows; ``replacement`` is set once a listed word is in it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._preset = _preset(config, "outputs_config")
        self._words = keywords(config) if self._preset is not None else []
        self._tail = ""

    def replacement(self, piece: str) -> str | None:
        """Return the author's answer if the text so far, with ``piece``, has a listed word in it, else None."""
        if not self._words:
            return None
        seen = self._tail + piece.lower()
        if any(word in seen for word in self._words):
            return self._preset
        # A word may be cut in two by the pieces: as much is kept as its longest beginning.
        keep = max(map(len, self._words)) - 1
        self._tail = seen[-keep:] if keep else ""
        return None


def _preset(config: Mapping[str, Any], side: str) -> str | None:
    avoidance = config.get("sensitive_word_avoidance") or {}
    settings = avoidance.get("config") if isinstance(avoidance, Mapping) else None
    one = (settings or {}).get(side) if isinstance(settings, Mapping) else None
    if not isinstance(one, Mapping) or not one.get("enabled"):
        return None
    return str(one.get("preset_response") or "")
