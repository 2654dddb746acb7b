"""The placeholders in the prompts of apps without a workflow, as references into the engine's variables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

START, QUERY = "start", "{{#sys.query#}}"

_PLACEHOLDER = re.compile(r"\{\{\s*([a-zA-Z_][a-zA-Z0-9_]{0,29})\s*\}\}")
# A placeholder of the editor, or something that the engine would take for a reference of its own.
_REFERENCE = re.compile(r"\{\{#([^{}]{0,300}?)#\}\}")


class EasyText:
    """Rewrites prompts. In: the names of the inputs that have a value (the placeholders of others stay as they are
    written), and what stands for ``{{#context#}}``.
    """

    def __init__(self, names: Iterable[str], context: str = "") -> None:
        self._names = set(names)
        self._special = {"query": QUERY, "context": context, "histories": ""}

    def __call__(self, prompt: Any) -> str:
        """Return a prompt as a template of the engine; what is no text is an empty one."""
        text = prompt if isinstance(prompt, str) else ""
        # In this order: a reference is made by the second step and must not be taken apart by the first.
        kept = _REFERENCE.sub(lambda found: self._special.get(found[1].strip(), found[1]), text)
        return _PLACEHOLDER.sub(
            lambda found: f"{{{{#{START}.{found[1]}#}}}}" if found[1] in self._names else found[0], kept
        )


def inert(text: str) -> str:
    """Return a text in which nothing reads as a reference any more."""
    return _REFERENCE.sub(lambda found: found[1], text)
