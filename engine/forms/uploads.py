"""Files that come with a form's answer, from people who have its link and perhaps no account.

They are stored for this one answer, as files of who started the run: nobody can name them before, and when the
answer is not taken they are deleted at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from engine.files import service as files
from engine.files.kinds import MEGABYTE, FileLimits
from engine.forms.files import refused
from engine.forms.values import variable_of
from engine.inputs.file_values import method_allowed
from engine.inputs.variables import FILE_TYPES
from store import apps
from store.refusal import Refusal
from store.runs import Run


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it arrived: its content (seekable), the name and the content type that the sender gave."""

    source: BinaryIO
    name: str
    claimed: str


Uploads = Mapping[str, Sequence[Upload]]


@contextmanager
def stored(
    definition: Mapping[str, Any], inputs: Mapping[str, Any], uploads: Uploads, run: Run
) -> Iterator[dict[str, Any]]:
    """The inputs with the uploads of each field in them, while they are stored; an exception deletes them again.

    Refuses ``invalid_form_data`` for what the server or the field does not take.
    """
    kept: list[str] = []
    try:
        yield {**inputs, **_all(definition, inputs, uploads, run, kept)}
    except BaseException:
        files.current().discard(kept)
        raise


def room(definition: Mapping[str, Any]) -> int:
    """How many bytes the uploads of one answer may have together; 0 for a form that takes none."""
    limits = files.current().limits
    return sum(
        most_megabytes(field, limits) * MEGABYTE * most_files(field, limits)
        for field in definition["inputs"]
        if field["type"] in FILE_TYPES and method_allowed(variable_of(field), "local_file")
    )


def most_files(field: Mapping[str, Any], limits: FileLimits) -> int:
    """How many files a field takes."""
    return 1 if field["type"] == "file" else min(field.get("number_limits") or limits.count, limits.count)


def most_megabytes(field: Mapping[str, Any], limits: FileLimits) -> int:
    """How large a file may be that a field takes: of the kind that may be largest."""
    kinds = set(field["allowed_file_types"])
    if not kinds:
        return limits.most_bytes // MEGABYTE
    by_kind = {"image": limits.image, "audio": limits.audio, "video": limits.video}
    found = [by_kind.get(kind, limits.other) for kind in kinds - {"custom"}]
    if "custom" in kinds:
        found += [limits.megabytes(word.lower().removeprefix(".")) for word in field["allowed_file_extensions"]]
    return max(found, default=limits.other)


def _all(
    definition: Mapping[str, Any], inputs: Mapping[str, Any], uploads: Uploads, run: Run, kept: list[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in definition["inputs"]:
        name, limit = field["output_variable_name"], most_files(field, files.current().limits)
        given = uploads.get(name, ())
        if field["type"] not in FILE_TYPES or not given:
            continue
        if not method_allowed(variable_of(field), "local_file"):
            raise refused(field, "No file can be uploaded here.")
        named = inputs.get(name) or []
        others = named if isinstance(named, list) else [named]
        if len(given) + len(others) > limit:
            raise refused(field, f"No more than {limit} {'file is' if limit == 1 else 'files are'} taken.")
        items = [*others, *(_one(field, upload, run, kept) for upload in given)]
        found[name] = items[0] if field["type"] == "file" else items
    return found


def _one(field: Mapping[str, Any], upload: Upload, run: Run, kept: list[str]) -> dict[str, Any]:
    app = apps.for_operator_get(run.app_id)
    if app is None:
        raise Refusal("not_found", "Form not found")
    size = upload.source.seek(0, 2)
    try:
        taken = files.current().take(app, run, upload.source, size, name=upload.name, claimed=upload.claimed)
    except Refusal as refusal:
        if refusal.status >= 500:
            raise
        raise refused(field, refusal.message) from None
    kept.append(taken.id)
    return {"transfer_method": "local_file", "upload_file_id": taken.id}
