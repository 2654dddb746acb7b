"""What a file is called that a server sent."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from email.message import Message
from urllib.parse import unquote, urlsplit

from engine.files.kinds import extension_for, extension_of


def named(url: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """Return its name and media type: by its Content-Disposition, else by its address and Content-Type."""
    told = {name.lower(): value for name, value in headers.items()}
    disposition = Message()
    disposition["content-disposition"] = told.get("content-disposition", "")
    name = disposition.get_filename() or unquote(urlsplit(url).path.rpartition("/")[2])
    kind = told.get("content-type", "").partition(";")[0].strip().lower()
    mime_type = mimetypes.guess_type(name)[0] or kind or "application/octet-stream"
    if not extension_of(name):
        extension = extension_for(mime_type)
        name = f"{name or 'file'}.{extension}" if extension else name or "file"
    return name, mime_type
