"""What a field for files admits, told to people and to the browser's picker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.files.kinds import FileLimits
from engine.forms.uploads import most_files, most_megabytes

KINDS = {"image": "images", "document": "documents", "audio": "sound", "video": "films"}
ACCEPTED = {"image": "image/*", "audio": "audio/*", "video": "video/*"}


def accept(one: Mapping[str, Any]) -> str:
    """The field's kinds as HTML's ``accept`` says them; empty where the picker must hide nothing."""
    kinds = one["allowed_file_types"]
    # Documents have no media type in common.
    if not kinds or "document" in kinds:
        return ""
    listed = _extensions(one["allowed_file_extensions"]) if "custom" in kinds else []
    return ",".join([*(ACCEPTED[kind] for kind in kinds if kind in ACCEPTED), *listed])


def told(one: Mapping[str, Any], limits: FileLimits) -> str:
    """``Images, .csv, up to 10 MB each, no more than 3 files.``"""
    kinds = one["allowed_file_types"]
    named = [KINDS[kind] for kind in kinds if kind in KINDS]
    if "custom" in kinds:
        named += _extensions(one["allowed_file_extensions"])
    what = ", ".join(named) or "any kind"
    text = f"{what[:1].upper()}{what[1:]}, up to {most_megabytes(one, limits)} MB"
    if one["type"] == "file-list":
        count = most_files(one, limits)
        return f"{text} each, no more than {count} {'file' if count == 1 else 'files'}."
    return f"{text}."


def _extensions(words: Sequence[str]) -> list[str]:
    return [f".{word.lower().removeprefix('.')}" for word in words]
