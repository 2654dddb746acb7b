"""What is told of a form that was answered or ran out of time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from store.forms import Form

# Where the form's text shows a field.
PLACE = re.compile(r"\{\{#\$output\.([a-zA-Z_][a-zA-Z0-9_]{0,29})#\}\}")


def told(form: Form) -> tuple[str, dict[str, Any]]:
    """Return the name and the data of the event that says how a form was decided."""
    node = {"form_id": form.id, "node_id": form.node_id, "node_title": form.definition["node_title"]}
    if form.answer is None:
        return "human_input_form_timeout", {**node, "expiration_time": form.definition["expiration_time"]}
    values = form.answer["inputs"]
    answer = {
        "rendered_content": rendered(form.definition["form_content"], values),
        "action_id": form.answer["action"],
        "action_text": action_title(form),
        "submitted_data": values,
    }
    return "human_input_form_filled", {**node, **answer}


def action_title(form: Form) -> str:
    """Return the words on the button that was chosen."""
    chosen = form.answer["action"] if form.answer else ""
    return next((str(one["title"]) for one in form.definition["actions"] if one["id"] == chosen), "")


def rendered(content: str, values: Mapping[str, Any]) -> str:
    """Return the form's text with the given values in their places."""
    return PLACE.sub(lambda found: _shown(values.get(found[1])), content)


def text_of(value: Any) -> str:
    """Return a value as text: itself, nothing for null, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value)} files]"
    return "[file]" if isinstance(value, Mapping) else text_of(value)
