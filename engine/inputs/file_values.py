"""Checks of file inputs: their shape, and what the variable admits.

A file is ``{"transfer_method": "remote_url", "url": …}`` or ``{"transfer_method": "local_file",
"upload_file_id": …}``, with a ``type`` (image, document, audio, video, custom) that may be left out. Whether
an upload exists, and whose it is, is asked where files are resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from engine.inputs.problem import InputProblem
from engine.inputs.variables import FILE_KINDS, Variable

_IDS = {"local_file": "upload_file_id", "tool_file": "tool_file_id", "datasource_file": "datasource_file_id"}
_OLD_IDS = ("reference", "related_id")


def check_file(variable: Variable, value: Any) -> dict[str, Any]:
    """One file object, whole; older names of its members become the current ones."""
    if not isinstance(value, Mapping):
        raise InputProblem(f"{variable.name} in input form must be a file", "file_type")
    method = value.get("transfer_method")
    if not method:
        raise InputProblem("transfer_method is required in file mapping", "file_shape")
    kind = value.get("type")
    if kind is not None and kind not in FILE_KINDS:
        raise InputProblem(f"Invalid file type: {str(kind)[:40]}", "file_shape")
    if method == "remote_url":
        file = _named(value, "url", _address(value), ("remote_url",))
    elif isinstance(method, str) and method in _IDS:
        given = next((value[name] for name in (_IDS[method], *_OLD_IDS) if value.get(name)), None)
        file = _named(value, _IDS[method], _uuid(given), _OLD_IDS)
    else:
        raise InputProblem(f"Invalid transfer method: {str(method)[:40]}", "file_shape")
    if not method_allowed(variable, method) or (kind is not None and not kind_allowed(variable, kind)):
        shown = str(file.get("url") or file.get(_IDS.get(method, "")))[:200]
        raise InputProblem(f"File validation failed for file: {shown}", "file_not_allowed")
    return file


def check_file_list(variable: Variable, value: Any) -> list[dict[str, Any]]:
    """At most ``max_length`` files.

    An item without a method, or a remote one without address, is passed over.
    """
    if not isinstance(value, list) or any(not isinstance(item, Mapping) for item in value):
        raise InputProblem(f"{variable.name} in input form must be a list of files", "list_type")
    limit = variable.max_length
    if limit is not None and len(value) > limit:
        raise InputProblem(f"{variable.name} in input form must be less than {limit} files", "too_long")
    return [check_file(variable, item) for item in value if not _empty(item)]


def method_allowed(variable: Variable, method: str) -> bool:
    """Whether the variable admits files sent this way.

    An empty list admits all, and tools' files always pass.
    """
    allowed = variable.allowed_file_upload_methods
    return not allowed or method in allowed or method not in ("remote_url", "local_file")


def kind_allowed(variable: Variable, kind: str) -> bool:
    """Whether the variable admits this kind of file:

    Named, or by ``custom``, which leaves it to the extension.
    """
    allowed = variable.allowed_file_types
    return not allowed or kind in allowed or "custom" in allowed


def _named(item: Mapping[str, Any], name: str, value: str, older: tuple[str, ...]) -> dict[str, Any]:
    return {**{key: member for key, member in item.items() if key not in older}, name: value}


def _empty(item: Mapping[str, Any]) -> bool:
    method = item.get("transfer_method")
    return not method or (method == "remote_url" and not (item.get("url") or item.get("remote_url")))


def _address(item: Mapping[str, Any]) -> str:
    """An absolute http or https address without blanks or control characters; its scheme in lower case."""
    value = item.get("url") or item.get("remote_url")
    if isinstance(value, str) and not any(letter <= " " or letter == "\x7f" for letter in value):
        try:
            parts = urlsplit(value)
            if parts.scheme in ("http", "https") and parts.hostname:
                return parts.scheme + value[len(parts.scheme) :]
        except ValueError:
            pass
    raise InputProblem("Invalid file url", "file_shape")


def _uuid(value: Any) -> str:
    if not isinstance(value, str):
        raise InputProblem("Invalid upload file id", "file_shape")
    try:
        return str(UUID(value))
    except ValueError:
        raise InputProblem("Invalid upload file id format", "file_shape") from None
