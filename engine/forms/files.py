"""The files in a form's answer: of who gives it, or uploaded with it. They become those of who started the run, who
will read them with its nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from engine.files import service as files
from engine.forms.values import variable_of
from engine.inputs import given_files as file_inputs
from engine.inputs.variables import FILE_TYPES
from store import files as stored
from store.files import Owner
from store.refusal import Refusal
from store.runs import Run

CODE = "invalid_form_data"


def resolved(
    definition: Mapping[str, Any], values: Mapping[str, Any], run: Run, giver: Owner
) -> tuple[dict[str, Any], set[str]]:
    """The checked values of a form with each file as a file value, and the ids of the stored ones.

    ``giver``: whose files may be named. Refuses ``invalid_form_data``, and like `engine.files.asking.Asking.ask`.
    """
    found, used = dict(values), set[str]()
    fields = [field for field in definition["inputs"] if field["type"] in FILE_TYPES]
    wanted = [file_inputs.unsaid(variable_of(one), found.get(one["output_variable_name"])) for one in fields]
    told = files.current().asking.ask(giver.subject, set[str]().union(*wanted))
    for field in fields:
        name, kind = field["output_variable_name"], field["type"]
        if not found.get(name):
            continue
        variable, loc = variable_of(field), ("body", "inputs", name)
        try:
            if kind == "file":
                items = [file_inputs.one(run.app_id, giver, variable, found[name], loc, told)]
            else:
                items = file_inputs.several(run.app_id, giver, variable, found[name], loc, told)
        except Refusal as refusal:
            raise refused(field, refusal.message, refusal.details) from None
        found[name] = items[0] if kind == "file" else items
        used |= {str(item["reference"]) for item in items if item["reference"]}
    return found, used


def use(file_ids: Collection[str], run: Run, giver: Owner) -> None:
    """Take the files of an answer into use, within the transaction that takes the answer: they become the run's.

    Raises `store.files.FileGone` when one is not the giver's any more, or was used by another run of the giver's.
    """
    config = files.current().config
    if giver.subject != run.subject:
        stored.hand_over(giver, run, run.app_id, file_ids, config.unused_for, config.kept_for)
    elif file_ids and not stored.keep(run, run.app_id, file_ids, config.kept_for):
        raise stored.FileGone


def refused(field: Mapping[str, Any], reason: str, details: Any = None) -> Refusal:
    """The refusal of what was given to a file field."""
    name = field["output_variable_name"]
    told = "file input" if field["type"] == "file" else "file list input"
    details = details or [{"type": "value_error", "loc": ["body", "inputs", name], "msg": reason}]
    return Refusal(CODE, f"Invalid value for {told} '{name}': {reason}", details=details)
