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


def secrets_of(document: Mapping[str, Any]) -> list[str]:
    """Return the values of the definition's secret environment variables."""
    items = document.get("environment_variables") or []
    return [str(item["value"]) for item in items if item.get("value_type") == "secret" and item.get("value")]
