"""Keeping the values of secret environment variables out of everything a run shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from engine.events.spellings import spellings
from engine.inputs.given_files import MARK

MASK = "******"
# Where an opened definition keeps the keys that stand in its settings.
KEYS = "keys"
# A form that is shorter is not taken out of names of members, nor out of ids: there it would be chance.
_LONG = 8
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What the server says itself in an event: a client that follows a run relies on each letter of it.
_OWN = frozenset({
    "TYPE", "audio", "belongs_to", "code", "conversation_id", "created_by", "event", "form_id", "form_token",
    "form_url", "from_variable_selector", "id", "iteration_id", "loop_id", "message_id", "node_execution_id", "node_id",
    "node_type", "parent_id", "paused_nodes", "predecessor_node_id", "reason", "status", "task_id", "url",
    "workflow_id", "workflow_run_id",
})  # fmt: skip
# Where an event holds values of any shape. What an agent's step holds is called `data` inside of `data`.
_FREE = frozenset({"inputs", "outputs", "process_data", "pre_loop_output", "resolved_default_values"})
_OF_A_FILE = frozenset({"dify_model_identity", "related_id", "reference", "transfer_method", "type"})


class Mask:
    """Replaces secrets, however they are spelled (`engine.events.spellings`), in JSON."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._spellings = spellings(tuple(secrets))

    def finds(self, line: str) -> bool:
        """Whether a secret is in the JSON text."""
        return any(form in line for form in self._spellings.written)

    def __call__(self, line: str) -> str:
        """Return the JSON text of an event, or of any value, with asterisks for each secret.

        Only values are looked into, so that what comes out is JSON again and an event keeps its shape: a secret of
        digits may well be a part of a time or an id.
        """
        if not self.finds(line):
            return line
        value = orjson.loads(line)
        if isinstance(value, dict) and "event" in value:
            masked: Any = {name: one if name in _OWN else self._event(name, one) for name, one in value.items()}
        else:
            masked = self._value(value)
        return orjson.dumps(masked).decode()

    def text(self, text: str) -> str:
        """Return plain text with asterisks for each secret."""
        return self._spellings.pattern.sub(MASK, text) if self._spellings.in_text(text) else text

    def _event(self, name: str, value: Any, inside: bool = False) -> Any:
        if name in _FREE or (name == "data" and inside):
            return self._value(value)
        if isinstance(value, dict):
            return {key: one if key in _OWN else self._event(key, one, True) for key, one in value.items()}
        if isinstance(value, list):
            return [self._event(name, one, True) for one in value]
        return self._string(value) if isinstance(value, str) else value

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if isinstance(value, dict):
            kept = _OF_A_FILE if value.get("dify_model_identity") == MARK else ()
            return {self._name(name): one if name in kept else self._value(one) for name, one in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if str(value).removesuffix(".0") in self._spellings.forms else value
        return value

    def _string(self, text: str) -> str:
        if _ID.fullmatch(text):
            return self._name(text)
        return self.text(text)

    def _name(self, text: str) -> str:
        return self.text(text) if any(len(form) >= _LONG and form in text for form in self._spellings.forms) else text


def secrets_of(document: Mapping[str, Any]) -> list[str]:
    """Return the values of an opened definition's secret variables, and the keys in its settings."""
    items = document.get("environment_variables") or []
    values = [str(item["value"]) for item in items if item.get("value_type") == "secret" and item.get("value")]
    return [*values, *document.get(KEYS, ())]
