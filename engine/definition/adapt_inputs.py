"""Mending the variables of a start node, which the engine reads strictly."""

from __future__ import annotations

from typing import Any

from engine.inputs.variables import FILE_KINDS, FILE_METHODS, FILE_TYPES, whole, words


def start_variables(data: dict[str, Any]) -> None:
    """Mend a start node's variables in place, so that the engine's strict reading accepts each of them.

    Absent labels, options that are not text, limits that are not numbers, kinds of file nobody knows.
    """
    for variable in data["variables"]:
        for key in ("label", "description"):
            if not isinstance(variable.get(key), str):
                variable[key] = ""
        variable["label"] = variable["label"] or variable["variable"]
        variable["required"] = bool(variable.get("required"))
        variable["hide"] = bool(variable.get("hide"))
        variable["options"] = words(variable.get("options"))
        if "max_length" in variable:
            variable["max_length"] = whole(variable["max_length"])
        if variable["type"] in FILE_TYPES:
            variable["allowed_file_types"] = _known(variable.get("allowed_file_types"), FILE_KINDS)
            variable["allowed_file_upload_methods"] = _known(variable.get("allowed_file_upload_methods"), FILE_METHODS)
            variable["allowed_file_extensions"] = words(variable.get("allowed_file_extensions"))


def _known(value: Any, names: tuple[str, ...]) -> list[str]:
    return [word for word in words(value) if word in names]
