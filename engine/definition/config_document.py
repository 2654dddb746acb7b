"""What a model configuration asks for that does not happen here: told when the app is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def config_warnings(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each part that has no effect here."""
    found = []
    if _at(config, "annotation_reply", "enabled"):
        found.append("Annotation reply is switched on; there are no annotations here, so the model answers.")
    found += moderation_warnings(config)
    if any(_at(one, "enabled") for one in _list(config.get("external_data_tools"))):
        found.append("External data tools are not called; a value that the caller sends is used instead.")
    return found + speech_warnings(config)


def speech_warnings(features: Mapping[str, Any]) -> list[str]:
    """Return a sentence when answers are to be spoken."""
    if _at(features, "text_to_speech", "enabled") and _at(features, "text_to_speech", "autoPlay") == "enabled":
        return ["Answers are spoken by the echo model only, as silence of their length."]
    return []


def moderation_warnings(features: Mapping[str, Any]) -> list[str]:
    """Return a sentence when the author's moderation is not done here."""
    kind = _at(features, "sensitive_word_avoidance", "type")
    if not _at(features, "sensitive_word_avoidance", "enabled") or kind == "keywords":
        return []
    return [f"Moderation of type '{kind}' asks a service that is not here; the app runs without it."]


def mail_warnings(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each node whose form goes out by e-mail: the operator has to allow it."""
    found = []
    for node in nodes:
        ways = _list(_at(node, "data", "delivery_methods")) if _at(node, "data", "type") == "human-input" else []
        if any(_at(way, "type") == "email" and _at(way, "enabled") is not False for way in ways):
            name = _at(node, "data", "title") or node.get("id")
            found.append(f"Node '{name}' sends its form by e-mail, which needs DIFYSPEC_SMTP_URL on the server.")
    return found


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
