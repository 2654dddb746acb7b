"""Tag ``files``: hand a file to an app, find it again, fetch it by its link."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse

import store.access
import store.apps
import store.files
from engine.files import service as files
from store.caller import Caller
from store.refusal import Refusal

# Types that a browser may show; any other is bytes, so that nothing of a file ever runs as a page.
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def upload_file(user: Caller, app_id: str, file: UploadFile | None = None) -> tuple[dict[str, Any], int]:
    """Operation ``uploadFile``. Refuses what `store.apps.visible` and `engine.files.service.Files.take` refuse."""
    if file is None:
        raise Refusal("no_file_uploaded")
    try:
        app = store.apps.visible(user, app_id)
        if not file.filename:
            raise Refusal("filename_not_exists")
        if not file.content_type:
            raise Refusal("unsupported_file_type", "The part has no Content-Type.")
        size, held = file.file.seek(0, 2), store.access.of(user, app.id)
        taken = files.current().take(
            app, user, file.file, size, name=file.filename, claimed=file.content_type, held=held
        )
    finally:
        file.file.close()
    return files.record(taken), 201


def get_file(user: Caller, app_id: str, file_id: str) -> dict[str, Any]:
    """Operation ``getFile``: the caller's own file of this app."""
    store.apps.visible(user, app_id)
    found = store.files.visible(user, app_id, file_id)
    if found is None:
        raise Refusal("not_found", "File not found.")
    return files.record(found)


def download_file(file_id: str, sign: str) -> StreamingResponse:
    """Operation ``downloadFile``: the content, always as an attachment."""
    found = files.current().linked(file_id, sign)
    if found is None:
        raise Refusal("not_found", "There is no such file, or the link has expired.")
    return StreamingResponse(
        files.current().pieces(found),
        media_type=found.mime_type if found.mime_type in SHOWN else "application/octet-stream",
        headers={
            "Content-Length": str(found.size),
            "Content-Disposition": _attachment(found.name),
            "Cache-Control": "private, max-age=3600",
        },
    )


def _attachment(name: str) -> str:
    """A ``Content-Disposition`` (RFC 6266): the name for clients that know ASCII only, and the name as it is."""
    plain = "".join(letter if letter.isascii() and letter not in '"\\%' else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
