"""What a ReAct agent's model wrote: its thought, and the action or the answer, in the forms that models know."""

from __future__ import annotations

import re
from typing import Any

from engine.models.json_answers import objects_in, repaired

FINAL = "Final Answer"
_LABEL = re.compile(r"Thought ?: ?", re.IGNORECASE)
_PLAIN = re.compile(r"Action:[ ]?(?P<name>[^\n{]{1,200})\nAction Input:(?P<input>.*)", re.IGNORECASE | re.DOTALL)
_ANSWER = re.compile(r"^[ \t]{0,20}Final Answer ?:[ \t]*", re.IGNORECASE | re.MULTILINE)
_SLOPPY = re.compile(r"\{\s{0,20}['\"]?action['\"]?\s{0,20}:")
_MOST_SLOPPY = 10_000  # characters of an action that are read though it is no JSON


def read(text: str) -> tuple[str, tuple[str, Any] | None]:
    """Part a model's text into its thought and its action, if it wrote one."""
    for at, value in objects_in(text):
        if isinstance(value.get("action"), str):
            return _thought(text[:at]), (value["action"], value.get("action_input", ""))
    plain = _PLAIN.search(text)
    if plain is not None:
        return _thought(text[: plain.start()]), (plain["name"], plain["input"].strip())
    answer = _ANSWER.search(text)
    if answer is not None:
        return _thought(text[: answer.start()]), (FINAL, text[answer.end() :].strip())
    sloppy = _SLOPPY.search(text)
    if sloppy is not None:
        # A comma too many, the wrong quotes: small models write JSON as they can.
        written = text[sloppy.start() : text.rfind("}") + 1][:_MOST_SLOPPY]
        value = repaired(written)
        if isinstance(value, dict) and isinstance(value.get("action"), str):
            return _thought(text[: sloppy.start()]), (value["action"], value.get("action_input", ""))
    return _unlabelled(text), None


def _thought(text: str) -> str:
    """What stands before an action, without the words that announce it."""
    text = text.rstrip()
    for word in ("[", "json", "```", ":", "action"):
        if text.lower().endswith(word):
            text = text[: -len(word)].rstrip()
    return _unlabelled(text)


def _unlabelled(text: str) -> str:
    text = text.strip()
    found = _LABEL.match(text)
    return text[found.end() :].strip() if found else text
