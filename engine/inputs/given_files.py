"""The files a run is given: found among its owner's own, or described from their address, before it starts.

A file that is in order becomes a *file value*: the JSON object that a run keeps and that events show, marked
by ``dify_model_identity``. It has no link: links expire, so one is made each time a value is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from engine.files import kinds as file_kinds
from engine.files import service as files
from engine.files.asking import Answers
from engine.files.probe import Told
from engine.inputs.file_values import check_file_list, kind_allowed
from engine.inputs.parameters import features_of, file_upload
from engine.inputs.problem import InputProblem
from engine.inputs.variables import FILE_TYPES, WORKFLOW_MODES, Variable, variables, whole, words
from store import files as stored
from store.files import Owner, StoredFile
from store.refusal import Refusal

MARK = "__dify__file__"
UPLOADED = {"local_file": "upload_file_id", "tool_file": "tool_file_id"}
Loc = tuple[str | int, ...]


def to_ask(document: Mapping[str, Any], inputs: Mapping[str, Any], attached: Any) -> set[str]:
    """The addresses, among checked inputs and the ``files`` of the body, that do not say what is there: their servers
    have to be asked.
    """
    given = [(one, inputs.get(one.name)) for one in variables(document) if one.type in FILE_TYPES]
    if (variable := feature(document)) is not None:
        given.append((variable, attached))
    return {url for variable, value in given for url in unsaid(variable, value)}


def unsaid(variable: Variable, value: Any) -> set[str]:
    """The addresses to ask of one variable's value: of so many files at most as are admitted."""
    items = value[: _most(variable)] if isinstance(value, list) else [value]
    remote = (one for one in items if isinstance(one, Mapping) and one.get("transfer_method") == "remote_url")
    return {url for one in remote if (url := str(one.get("url") or "")) and not file_kinds.extension_of(_name(url))}


def resolve(
    app_id: str, owner: Owner, document: Mapping[str, Any], inputs: Mapping[str, Any], told: Answers
) -> dict[str, Any]:
    """The checked inputs with each file as a file value; ``told`` is what the addresses of `to_ask` have said.

    Refuses ``invalid_param``, naming the input.
    """
    found = dict(inputs)
    for variable in variables(document):
        value = found.get(variable.name)
        if variable.type not in FILE_TYPES or value is None:
            continue
        loc: Loc = ("body", "inputs", variable.name)
        if isinstance(value, list):
            found[variable.name] = several(app_id, owner, variable, value, loc, told)
        else:
            found[variable.name] = one(app_id, owner, variable, value, loc, told)
    return found


def attached(app_id: str, owner: Owner, document: Mapping[str, Any], given: Any, told: Answers) -> list[dict[str, Any]]:
    """The ``files`` of the body as file values (``sys.files``); none where the app does not take files."""
    variable = feature(document)
    if variable is None or not given:
        return []
    try:
        # How many there may be is said in the words of this list, when those that say nothing have gone.
        items = check_file_list(replace(variable, max_length=None), given)
    except InputProblem as problem:
        _refuse(problem.message, problem.type, ("body", "files"))
    return several(app_id, owner, variable, items, ("body", "files"), told)


def one(
    app_id: str, owner: Owner, variable: Variable, item: Mapping[str, Any], loc: Loc, told: Answers
) -> dict[str, Any]:
    """One file, of the shape that `engine.inputs.file_values` checks, as a file value.

    Refuses ``invalid_param`` at ``loc``: a file that is not the owner's for this app (whoever else's it
    is), one that the variable does not admit, an address that may not be reached.
    """
    method = str(item["transfer_method"])
    value = _remote(item, loc, told) if method == "remote_url" else _uploaded(app_id, owner, method, item, loc)
    if method != "tool_file":
        _check_admitted(variable, value, item.get("type"), loc)
    return value


def several(
    app_id: str, owner: Owner, variable: Variable, items: Sequence[Mapping[str, Any]], loc: Loc, told: Answers
) -> list[dict[str, Any]]:
    """A list of files, each like `one`; no more than the variable and the server admit."""
    limit = _most(variable)
    if len(items) > limit:
        _refuse(f"Number of files exceeds the maximum limit {limit}", "too_long", loc)
    return [one(app_id, owner, variable, item, (*loc, at), told) for at, item in enumerate(items)]


def used_ids(document: Mapping[str, Any], inputs: Mapping[str, Any], attached: Sequence[Mapping[str, Any]]) -> set[str]:
    """The ids of the stored files among resolved inputs and attached files."""
    values = list(attached)
    for variable in variables(document):
        value = inputs.get(variable.name) if variable.type in FILE_TYPES else None
        values += value if isinstance(value, list) else [value] if value else []
    return {str(value["reference"]) for value in values if value["reference"]}


def value_of(file: StoredFile, kind: str | None = None) -> dict[str, Any]:
    """A stored file as a file value."""
    method = "local_file" if file.origin == "upload" else "tool_file"
    kind = kind or file_kinds.kind_of(file.extension, file.mime_type)
    return _value(kind, method, file.name, file.extension, file.mime_type, file.size, reference=file.id)


def _value(
    kind: str, method: str, name: str, extension: str, mime_type: str, size: int, **where: str
) -> dict[str, Any]:
    reference, url = where.get("reference"), where.get("url")
    return {
        "dify_model_identity": MARK,
        "id": None,
        "type": kind,
        "transfer_method": method,
        "remote_url": url,
        "reference": reference,
        "filename": name,
        "extension": f".{extension}" if extension else "",
        "mime_type": mime_type,
        "size": size,
        "related_id": reference,
        "url": url,
    }


def _uploaded(app_id: str, owner: Owner, method: str, item: Mapping[str, Any], loc: Loc) -> dict[str, Any]:
    member = UPLOADED.get(method, "datasource_file_id")
    file = stored.visible(owner, app_id, str(item.get(member))) if method in UPLOADED else None
    if file is None:
        _refuse("Invalid upload file: not found.", "file_not_found", (*loc, member))
    return value_of(file, item.get("type"))


def _most(variable: Variable) -> int:
    return min(variable.max_length or 1000, files.current().limits.count)


def _name(url: str) -> str:
    """What an address calls the file that is there; empty when it does not say."""
    return file_kinds.safe_name(unquote(urlsplit(url).path.rpartition("/")[2])) or ""


def _remote(item: Mapping[str, Any], loc: Loc, told: Answers) -> dict[str, Any]:
    url = str(item["url"])
    name = _name(url)
    extension, mime_type, size = file_kinds.extension_of(name), "", -1
    if not extension:
        said = told.get(url, Told())
        if isinstance(said, ValueError):
            _refuse(f"Invalid file url: {said}", "file_url", (*loc, "url"))
        mime_type, size = said.mime_type, said.size
        name = file_kinds.safe_name(said.name) or name or "file"
        extension = file_kinds.extension_of(name) or file_kinds.extension_for(mime_type)
    mime_type = file_kinds.mime_type_of(extension, mime_type)
    kind = item.get("type") or file_kinds.kind_of(extension, mime_type)
    return _value(str(kind), "remote_url", name, extension, mime_type, size, url=url)


def _check_admitted(variable: Variable, value: Mapping[str, Any], given: Any, loc: Loc) -> None:
    extension = str(value["extension"]).removeprefix(".")
    detected = file_kinds.kind_of(extension, str(value["mime_type"]))
    if given not in (None, "custom", detected) and detected != "custom":
        told = "Detected file type does not match the specified type. Please verify the file."
        _refuse(told, "file_type", (*loc, "type"))
    kind, allowed = str(value["type"]), variable.allowed_file_types
    by_extension = kind == "custom" or (bool(allowed) and kind not in allowed)
    listed = {word.lower().removeprefix(".") for word in variable.allowed_file_extensions}
    # Without a list of types, a file of no known kind is admitted like any other.
    outside = by_extension and bool(allowed) and extension not in listed
    if not kind_allowed(variable, kind) or outside:
        shown = value["filename"] or value["remote_url"]
        _refuse(f"File validation failed for file: {shown}", "file_not_allowed", loc)


def feature(document: Mapping[str, Any]) -> Variable | None:
    """What the app's feature *file upload* admits, as a variable; None when it is off."""
    upload = file_upload(document)
    image = upload.get("image") or {}
    if upload.get("enabled") is not True:
        # The older switch admits images; a workflow's is rewritten when its configuration is read.
        if document.get("mode") in WORKFLOW_MODES or image.get("enabled") is not True:
            return None
        upload = {
            "number_limits": image.get("number_limits"),
            "allowed_file_types": ["image"],
            "allowed_file_upload_methods": image.get("transfer_methods"),
        }
    elif not (features_of(document).get("file_upload") or {}).get("enabled"):
        upload = {**upload, "image": {}}
    return Variable(
        name="files",
        type="file-list",
        max_length=whole(upload.get("number_limits")),
        allowed_file_types=tuple(words(upload.get("allowed_file_types"))),
        allowed_file_extensions=tuple(words(upload.get("allowed_file_extensions"))),
        allowed_file_upload_methods=tuple(words(upload.get("allowed_file_upload_methods"))),
    )


def _refuse(message: str, kind: str, loc: Sequence[str | int]) -> NoReturn:
    raise Refusal("invalid_param", message, details=[{"type": kind, "loc": list(loc), "msg": message}])
