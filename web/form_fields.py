"""The fields of a form as its page shows them: where they begin, what they admit, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.files import service as files
from engine.files.kinds import FileLimits
from engine.forms.uploads import most_files, most_megabytes

KINDS = {"image": "images", "document": "documents", "audio": "sound", "video": "films"}
ACCEPTED = {"image": "image/*", "audio": "audio/*", "video": "video/*"}


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
    ways, kinds = one["allowed_file_upload_methods"], one["allowed_file_types"]
    return {
        "value": value,
        "uploads": not ways or "local_file" in ways,
        "addresses": not ways or "remote_url" in ways,
        "accept": _accept(kinds, one["allowed_file_extensions"]),
        "help": _help(one, files.current().limits),
    }


def _extensions(words: Sequence[str]) -> list[str]:
    return [f".{word.lower().removeprefix('.')}" for word in words]


def _accept(kinds: Sequence[str], extensions: Sequence[str]) -> str:
    # Documents have no media type in common: where they are admitted nothing is hidden in the picker.
    if not kinds or "document" in kinds:
        return ""
    listed = _extensions(extensions) if "custom" in kinds else []
    return ",".join([*(ACCEPTED[kind] for kind in kinds if kind in ACCEPTED), *listed])


def _help(one: Mapping[str, Any], limits: FileLimits) -> str:
    kinds = one["allowed_file_types"]
    told = [KINDS[kind] for kind in kinds if kind in KINDS]
    if "custom" in kinds:
        told += _extensions(one["allowed_file_extensions"])
    what = ", ".join(told) or "any kind"
    text = f"{what[:1].upper()}{what[1:]}, up to {most_megabytes(one, limits)} MB"
    if one["type"] == "file-list":
        count = most_files(one, limits)
        return f"{text} each, no more than {count} {'file' if count == 1 else 'files'}."
    return f"{text}."
