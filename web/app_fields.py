"""The inputs of an app as form fields: what ``input_schema`` says, and the widget the author chose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.files import service as files
from engine.inputs.given_files import feature
from engine.inputs.schema import property_of
from engine.inputs.variables import QUERY_MODES, Variable, variables
from web import file_words

SHORT = 256  # characters a single line is meant for; longer texts get a box
FILES = {"file": "file", "file-list": "files"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field; without a name, the one for files that belong to no input.

    ``kind`` is text, box, number, switch, choice, json, file or files; ``value`` is the text it begins with. Of a
    field for files: what its picker offers, and ``bounds``, what it admits in words.
    """

    name: str
    label: str
    kind: str
    required: bool
    help: str
    value: str
    max_length: int | None = None
    options: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    accept: str = ""
    bounds: str = ""


def fields(document: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> list[Field]:
    """The fields of a normalised document, in declared order.

    In: the values of an earlier run, which stand in place of the defaults. A hidden variable gets a field
    only when a run could not begin without it.
    """
    found = []
    for variable in variables(document):
        schema = property_of(variable)
        required = variable.required and variable.type != "external_data_tool"
        if variable.hide and (not required or "default" in schema):
            continue
        value = (given or {}).get(variable.name)
        found.append(_field(variable, schema, required, schema.get("default") if value is None else value))
    return found


def attachments(document: Mapping[str, Any]) -> Field | None:
    """The field for the ``files`` of a run; None for an app that takes none."""
    variable = feature(document)
    if variable is None:
        return None
    return replace(_field(variable, property_of(variable), False, None), name="", label="Files")


def takes_query(mode: str) -> bool:
    """Whether a run of this mode begins with what a person says."""
    return mode in QUERY_MODES


def _field(variable: Variable, schema: Mapping[str, Any], required: bool, value: Any) -> Field:
    kind = FILES.get(variable.type) or _kind(variable, schema)
    file = schema.get("items", schema) if kind == "files" else schema
    forms = [form["properties"] for form in file.get("oneOf", ())] if kind in FILES.values() else []
    return Field(
        name=variable.name,
        label=str(schema["title"]),
        kind=kind,
        required=required,
        help=str(schema.get("description", "")),
        value="" if forms else _text(kind, value),
        max_length=schema.get("maxItems" if kind == "files" else "maxLength"),
        options=tuple(schema.get("enum", ())) if kind == "choice" else (),
        types=tuple(forms[0]["type"]["enum"]) if forms else (),
        methods=tuple(form["transfer_method"]["const"] for form in forms),
        **(_bounds(variable) if forms else {}),
    )


def _bounds(variable: Variable) -> dict[str, str]:
    about = {
        "type": variable.type,
        "allowed_file_types": variable.allowed_file_types,
        "allowed_file_extensions": variable.allowed_file_extensions,
        "number_limits": variable.max_length,
    }
    return {"accept": file_words.accept(about), "bounds": file_words.told(about, files.current().limits)}


def _kind(variable: Variable, schema: Mapping[str, Any]) -> str:
    simple = {"number": "number", "integer": "number", "boolean": "switch", "object": "json"}
    kind = schema.get("type")
    if kind != "string":
        # Of a type nobody knows, the value is whatever JSON says.
        return simple.get(str(kind), "json")
    if "enum" in schema:
        return "choice"
    return "box" if variable.type == "paragraph" or schema.get("maxLength", 0) > SHORT else "text"


def _text(kind: str, value: Any) -> str:
    if kind == "switch":
        return "on" if value is True else ""
    if value is None:
        return ""
    return value if isinstance(value, str) and kind != "json" else json.dumps(value, ensure_ascii=False, indent=2)
