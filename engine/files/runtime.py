"""The engine's ports for files, on the files of one run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

from graphon.file.enums import FileTransferMethod, FileType
from graphon.file.models import File

from engine.files.kinds import FileLimits, extension_of
from engine.files.run_files import RunFiles
from engine.inputs.given_files import MARK, value_of

_MEMBERS = ("remote_url", "reference", "filename", "extension", "mime_type", "size")


def graph_file(value: Mapping[str, Any]) -> File:
    """A file value as the engine's own file."""
    members = {name: value.get(name) for name in _MEMBERS}
    members["size"] = -1 if members["size"] is None else members["size"]
    return File(
        file_type=FileType(value["type"]), transfer_method=FileTransferMethod(value["transfer_method"]), **members
    )


def graph_value(value: Any) -> Any:
    """An input of a file type, or ``sys.files``, as the engine takes it: file values become files."""
    if isinstance(value, Mapping) and value.get("dify_model_identity") == MARK:
        return graph_file(value)
    return [graph_value(item) for item in value] if isinstance(value, list) else value


class FileRuntime:
    """What the engine asks of its host about files (``WorkflowFileRuntimeProtocol``)."""

    multimodal_send_format = "base64"

    def __init__(self, files: RunFiles, client_for: Callable[[int], Any], limits: FileLimits) -> None:
        self._files, self._client_for, self._limits = files, client_for, limits

    def http_get(self, url: str, *, follow_redirects: bool = True) -> Any:
        """Fetch a remote file, by a guarded client that takes no more than an upload of its kind may have."""
        limit = self._limits.bytes(extension_of(unquote(urlsplit(url).path)))
        return self._client_for(limit).get(url, follow_redirects=follow_redirects)

    def load_file_bytes(self, *, file: File) -> bytes:
        """A stored file's content. ValueError for one that the run may not read."""
        return self._files.content(file.related_id)

    def resolve_file_url(self, *, file: File, for_external: bool = True) -> str | None:
        """A fresh link, or a remote file's own address."""
        if file.transfer_method == FileTransferMethod.REMOTE_URL:
            return file.remote_url
        return self._files.url(file.related_id)

    def resolve_upload_file_url(
        self, *, upload_file_id: str, as_attachment: bool = False, for_external: bool = True
    ) -> str:
        """A fresh link."""
        return self._files.url(upload_file_id) or ""

    def resolve_tool_file_url(self, *, tool_file_id: str, extension: str, for_external: bool = True) -> str:
        """A fresh link."""
        return self._files.url(tool_file_id) or ""

    def storage_load(self, path: str, *, stream: bool = False) -> bytes | Generator[bytes, None, None]:
        """Refused: nothing here is known by a path."""
        raise FileNotFoundError(path)

    def verify_preview_signature(self, **options: str) -> bool:
        """Links are checked by the server, not by the engine."""
        return False


class MadeFiles:
    """Files that nodes make (``ToolFileManagerProtocol``), and their way into variables
    (``FileReferenceFactoryProtocol``).
    """

    def __init__(self, files: RunFiles) -> None:
        self._files = files

    def create_file_by_raw(self, *, file_binary: bytes, mimetype: str, filename: str | None = None) -> Any:
        """Store content; the result has the ``id``, ``name`` and ``file_key`` that the engine reads."""
        made = self._files.make(file_binary, filename or "file", mimetype)
        return SimpleNamespace(id=made.id, name=made.name, file_key=made.id)

    def get_file_generator_by_tool_file_id(
        self, tool_file_id: str
    ) -> tuple[Generator[bytes, None, None] | None, File | None]:
        """A file's content and the file; None twice for one that the run may not read."""
        found = self._files.find(tool_file_id)
        if found is None:
            return None, None
        return (piece for piece in [self._files.content(tool_file_id)]), graph_file(value_of(found))

    def build_from_mapping(self, *, mapping: Mapping[str, Any]) -> File:
        """A stored file by its id. ValueError for one that the run may not read."""
        file_id = mapping.get("tool_file_id") or mapping.get("upload_file_id") or mapping.get("related_id")
        found = self._files.find(str(file_id))
        if found is None:
            raise ValueError("There is no such file")
        kind = mapping.get("type")
        return graph_file(value_of(found, str(FileType(kind)) if kind else None))
