"""The files in a form's answer: they must be those of who started the run, who will read them with its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import file_inputs, files
from engine.form_values import variable_of
from engine.variables import FILE_TYPES
from store import files as stored
from store.refusal import Refusal
from store.runs import Run

CODE = "invalid_form_data"


def resolved(definition: Mapping[str, Any], values: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """The checked values of a form with each file as a file value. Refuses ``invalid_form_data``."""
    found, used = dict(values), set[str]()
    for field in definition["inputs"]:
        name, kind = field["output_variable_name"], field["type"]
        if kind not in FILE_TYPES or not found.get(name):
            continue
        variable, loc = variable_of(field), ("body", "inputs", name)
        try:
            if kind == "file":
                items = [file_inputs.one(run.app_id, run, variable, found[name], loc)]
            else:
                items = file_inputs.several(run.app_id, run, variable, found[name], loc)
        except Refusal as refusal:
            told = "file input" if kind == "file" else "file list input"
            message = f"Invalid value for {told} '{name}': {refusal.message}"
            raise Refusal(CODE, message, details=refusal.details) from None
        found[name] = items[0] if kind == "file" else items
        used |= {str(item["reference"]) for item in items if item["reference"]}
    if used and not stored.keep(run, run.app_id, used, files.current().config.kept_for):
        raise Refusal(CODE, "A file was deleted a moment ago; upload it again.")
    return found
