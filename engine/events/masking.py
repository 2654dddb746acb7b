"""Keeping the values of secret environment variables out of everything a run shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "******"
# Shorter values would blank out ordinary words and hide nothing.
_SHORTEST = 4


class Mask:
    """Replaces secrets in the text of an event, also where they appear as JSON text or as base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) < _SHORTEST:
                continue
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                forms.add(json.dumps(form, ensure_ascii=False)[1:-1])
                # An error text may quote a value that was already JSON: its escapes are escaped again.
                forms.add(json.dumps(json.dumps(form, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1])
        # The longest first: a secret that contains another must not leave its tail behind.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the JSON text with each secret replaced by asterisks."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text


class Veil:
    """Takes secrets out of text that comes in pieces: the possible beginning of one is kept back until it is known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)
        self._kept = ""

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def pass_on(self, piece: str) -> str:
        """Return what can be shown now."""
        text = self._kept + piece
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        begun = max((_begun(text, secret) for secret in self._secrets), default=0)
        self._kept = text[len(text) - begun :]
        return text[: len(text) - begun]

    def rest(self) -> str:
        """Return what was kept back, when nothing follows it."""
        rest, self._kept = self._kept, ""
        return rest


def _begun(text: str, secret: str) -> int:
    """How many characters at the end of the text a secret may begin with."""
    most = min(len(text), len(secret) - 1)
    return next((size for size in range(most, 0, -1) if text.endswith(secret[:size])), 0)


def secrets_of(document: Mapping[str, Any]) -> list[str]:
    """Return the values of the definition's secret environment variables."""
    items = document.get("environment_variables") or []
    return [str(item["value"]) for item in items if item.get("value_type") == "secret" and item.get("value")]
