"""What was sent with a form's page, as the body of an answer, and what was wrong with it, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from flask import request

from engine.forms.uploads import Upload
from engine.inputs.variables import FILE_TYPES
from store.forms import Form
from store.refusal import Refusal

CHOOSE = "Choose one of the options."
BUSY = "Your answer could not be stored just now. It is still here: send it again in a moment."
KIND = "File validation failed for file: "


def inputs(form: Form) -> dict[str, Any]:
    """What was filled in. Browsers send line ends as CR LF (HTML §4.10.22); people mean one line end."""
    found: dict[str, Any] = {}
    for field in form.definition["inputs"]:
        name, kind = field["output_variable_name"], field["type"]
        typed, urls = request.form.get(f"field.{name}"), request.form.get(f"url.{name}", "").split()
        if kind in FILE_TYPES:
            items = [{"transfer_method": "remote_url", "url": url} for url in urls]
            if kind == "file-list" or len(items) == 1:
                found[name] = items if kind == "file-list" else items[0]
        elif typed is not None:
            found[name] = typed.replace("\r\n", "\n")
    return found


def uploads(form: Form) -> dict[str, list[Upload]]:
    """The files that were chosen; a field without one is sent with an empty name."""
    names = [field["output_variable_name"] for field in form.definition["inputs"]]
    return {
        name: [
            Upload(cast(BinaryIO, part.stream), part.filename, part.mimetype)
            for part in request.files.getlist(f"file.{name}")
            if part.filename
        ]
        for name in names
    }


def wrong(told: Mapping[str, Any], refusal: Refusal) -> dict[str, str]:
    """What was wrong, by field: a refusal of the answer names it, and says why after a colon."""
    kinds = {one["output_variable_name"]: one["type"] for one in told["inputs"]}
    for detail in refusal.details or ():
        name = str(detail["loc"][2]) if len(detail["loc"]) > 2 else ""
        if name not in kinds:
            continue
        if detail["type"] == "missing":
            return {name: "This is needed."}
        return {name: CHOOSE if kinds[name] == "select" else _why(str(detail["msg"]))}
    return {}


def _why(said: str) -> str:
    why = said.partition("': ")[2] or said
    return f"{why.removeprefix(KIND)} is of a kind that is not taken here." if why.startswith(KIND) else why


def problem(refusal: Refusal, wrong: Mapping[str, str]) -> str:
    """What is told above the form."""
    # Browsers do not keep what was chosen in a field for files.
    again = " Choose your files again." if any(request.files.values()) else ""
    if refusal.status >= 500:
        return BUSY + again
    return ("Your answer was not taken yet." if wrong else refusal.message) + again
