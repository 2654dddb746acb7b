"""The ``input_schema`` block of describe: a JSON Schema (draft 2020-12) of the body of ``run``.

It is made to be used: forms are drawn from it and bodies checked against it, so it names every input the run
accepts, and accepts whatever the run takes without converting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.inputs.declared import default_as_taken
from engine.inputs.object_schema import accepts
from engine.inputs.shapes import DRAFT, file_list_shape, shape_of
from engine.inputs.variables import QUERY_MODES, Variable, variables


def input_schema(document: Mapping[str, Any] | None, most_files: int | None = None) -> dict[str, Any]:
    """The schema for a normalised document, on a server that takes ``most_files`` for one input.

    For None, an app without a published version, it is one that nothing matches.
    """
    if document is None:
        return {
            "$schema": DRAFT, "type": "object", "properties": {}, "required": [], "not": {},
            "description": "This app has no published version, so it cannot be run.",
        }  # fmt: skip
    found = [_limited(variable, most_files) for variable in variables(document)]
    inputs = {
        "type": "object",
        "title": "Inputs",
        "properties": {variable.name: property_of(variable) for variable in found},
        "required": [v.name for v in found if v.required and v.type != "external_data_tool"],
        "additionalProperties": False,
    }
    chat = document.get("mode") in QUERY_MODES
    properties = {"inputs": inputs, **_envelope(chat=chat, most_files=most_files)}
    if chat:
        query = {"type": "string", "minLength": 1, "title": "Query", "description": "What to say to the app."}
        properties = {"query": query, **properties}
    return {
        "$schema": DRAFT,
        "type": "object",
        "properties": properties,
        "required": ["query", "inputs"] if chat else ["inputs"],
    }


def property_of(variable: Variable) -> dict[str, Any]:
    """One input: its type's schema with title, description and, where it would be accepted, default."""
    shape = shape_of(variable)
    default = default_as_taken(variable)
    about: dict[str, Any] = {"title": variable.label or variable.name}
    if variable.description:
        about["description"] = variable.description
    if default is not None and accepts(shape, default):
        about["default"] = default
    return {**about, **shape}


def _limited(variable: Variable, most: int | None) -> Variable:
    if variable.type != "file-list" or most is None:
        return variable
    return replace(variable, max_length=min(most, variable.max_length or most))


def _envelope(*, chat: bool, most_files: int | None) -> dict[str, Any]:
    """What a run body may say beside query and inputs."""
    common = {
        "files": {**file_list_shape(Variable(name="files", type="file-list", max_length=most_files)), "title": "Files"},
        "workflow_id": {
            "type": "string",
            "format": "uuid",
            "title": "Version",
            "description": "A published version to run.",
        },
    }
    if not chat:
        return common
    return {
        **common,
        "conversation_id": {
            "type": "string",
            "format": "uuid",
            "title": "Conversation",
            "description": "The one to go on with.",
        },
        "auto_generate_name": {"type": "boolean", "default": True, "title": "Name the conversation"},
    }
