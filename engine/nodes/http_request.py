"""The HTTP request node, with names for the files it gets."""

from __future__ import annotations

import mimetypes
from urllib.parse import unquote, urlsplit

from graphon.file.enums import FileTransferMethod
from graphon.nodes.http_request.entities import Response
from graphon.nodes.http_request.node import HttpRequestNode
from graphon.variables.segments import ArrayFileSegment

from engine.files.kinds import extension_for, extension_of


class NamingHttpRequestNode(HttpRequestNode):
    """The engine's own forgets what a file was called; the next node, and the person, want to know."""

    def extract_files(self, url: str, response: Response) -> ArrayFileSegment:
        """The response as a file, if it is one: by its Content-Disposition, else by its address and type."""
        if not response.is_file:
            return ArrayFileSegment(value=[])
        disposition = response.parsed_content_disposition
        name = (disposition.get_filename() if disposition else None) or unquote(urlsplit(url).path.rpartition("/")[2])
        told = response.content_type.partition(";")[0].strip().lower()
        mime_type = mimetypes.guess_type(name)[0] or told or "application/octet-stream"
        if not extension_of(name):
            extension = extension_for(mime_type)
            name = f"{name or 'file'}.{extension}" if extension else name or "file"
        made = self._tool_file_manager_factory().create_file_by_raw(
            file_binary=response.content, mimetype=mime_type, filename=name
        )
        file = self._file_reference_factory.build_from_mapping(
            mapping={"tool_file_id": made.id, "transfer_method": FileTransferMethod.TOOL_FILE}
        )
        return ArrayFileSegment(value=[file])
