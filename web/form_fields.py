"""The fields of a form as its page shows them: where they begin, what they admit, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.files import service as files
from web import file_words


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``value`` is what it begins with, ``wrong`` what is told at it after a refused answer.

    Of a file field: whether it takes uploads and addresses, how many, and ``accept`` as HTML says it.
    """

    name: str
    label: str
    kind: str
    value: str = ""
    wrong: str = ""
    options: Sequence[str] = ()
    uploads: bool = False
    addresses: bool = False
    accept: str = ""
    help: str = ""


def fields(definition: Mapping[str, Any], given: Mapping[str, str], wrong: Mapping[str, str]) -> dict[str, Field]:
    """The fields by name, in declared order. ``given`` is what was sent before, by the names that the page uses."""
    found = {}
    for one in definition["inputs"]:
        name, kind = one["output_variable_name"], one["type"]
        about: dict[str, Any] = {"wrong": wrong.get(name, "")}
        if kind in ("file", "file-list"):
            about |= _file(one, given.get(f"url.{name}", ""))
        else:
            about["value"] = given.get(f"field.{name}", _start(definition, one))
            about["options"] = (one.get("option_source") or {}).get("value") or ()
        found[name] = Field(name=name, label=label(name), kind=kind, **about)
    return found


def label(name: str) -> str:
    """What people call a field: the definition has only a name for variables."""
    words = name.replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]


def _start(definition: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    found = definition["resolved_default_values"].get(one["output_variable_name"])
    constant = (one.get("default") or {}).get("value")
    return found if found is not None else str(constant or "")


def _file(one: Mapping[str, Any], value: str) -> dict[str, Any]:
    ways = one["allowed_file_upload_methods"]
    return {
        "value": value,
        "uploads": not ways or "local_file" in ways,
        "addresses": not ways or "remote_url" in ways,
        "accept": file_words.accept(one),
        "help": file_words.told(one, files.current().limits),
    }
