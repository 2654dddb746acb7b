"""What the echo model answers to the prompts of nodes that expect more than text.

A classifier's and an extractor's prompts are recognised by their shape; the answer is found in the user's
text by plain rules, so that an app behaves sensibly, and the same, on every repetition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine.models.sample import sample

_CATEGORIES = re.compile(
    r'"input_text"\s*:\s*\["(?P<text>.*)"\],\s*"categories"\s*:\s*(?P<categories>\[.*?\]),\s*"classification_instruction',
    re.DOTALL,
)
_STRUCTURE = re.compile(
    r"<(structure|information to be extracted)>\s*(?P<schema>\{.*\})\s*</\1>.*<text>\s*(?P<text>.*?)\s*</text>",
    re.DOTALL,
)
_CONTEXT = re.compile(r"<context>\n(.*)\n</context>", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def classified(prompt: str, wanted: str | None) -> str | None:
    """Return the answer to a classifier's prompt, None when it is not one.

    ``wanted`` is a category's name or id; without it the category is taken that shares most words with the
    text, the first when none does.
    """
    # The last example wins: a completion prompt holds worked examples before the question.
    start = prompt.rfind('"input_text"')
    found = _CATEGORIES.search(prompt, max(start, 0))
    if found is None:
        return None
    try:
        categories = [(str(c["category_id"]), str(c["category_name"])) for c in json.loads(found["categories"])]
    except (ValueError, TypeError, KeyError):
        return None
    if wanted is not None:
        chosen = next((c for c in categories if wanted in c), (wanted, wanted))
    else:
        said = _words(found["text"])
        chosen = max(categories, key=lambda c: len(said & _words(c[1])), default=("", ""))
    answer = {"keywords": [], "category_id": chosen[0], "category_name": chosen[1]}
    return f"```json\n{json.dumps(answer, ensure_ascii=False)}\n```"


def extraction(prompt: str, wanted: Any) -> str | None:
    """Return the answer to an extractor's prompt that asks for JSON, None when it is not one."""
    found = _STRUCTURE.search(prompt)
    if found is None:
        return None
    try:
        schema = json.loads(found["schema"])
    except ValueError:
        return None
    return json.dumps(extracted(schema, found["text"], wanted), ensure_ascii=False)


def context_of(prompt: str) -> str:
    """Return the text that a function-calling extractor is asked about."""
    found = _CONTEXT.search(prompt)
    return found[1] if found else prompt


def extracted(schema: Mapping[str, Any], text: str, wanted: Any) -> dict[str, Any]:
    """Return a value for each parameter of ``schema``: the one in ``wanted``, else one found in ``text``."""
    given = wanted if isinstance(wanted, Mapping) else {}
    properties = schema.get("properties") or {}
    found = {name: _found(part, text) for name, part in properties.items()}
    return {**found, **given}


def _found(schema: Mapping[str, Any], text: str) -> Any:
    options = schema.get("enum")
    if options:
        said = text.casefold()
        return next((one for one in options if str(one).casefold() in said), options[0])
    numbers = [float(one) if "." in one else int(one) for one in _NUMBER.findall(text)]
    kind = schema.get("type")
    if kind in ("number", "integer"):
        return numbers[0] if numbers else 0
    if kind == "string":
        return text.strip()
    if kind == "array":
        return _list((schema.get("items") or {}).get("type"), text, numbers)
    return sample(schema)


def _list(kind: Any, text: str, numbers: Sequence[float]) -> list[Any]:
    if kind in ("number", "integer"):
        return list(numbers)
    if kind == "string":
        return [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]
    return [{"text": text.strip()}] if kind == "object" else []


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w{3,}", text)}
