"""The HTTP request node, which sends what its settings say and has names for the files it gets."""

from __future__ import annotations

from typing import Any

from graphon.file.enums import FileTransferMethod
from graphon.node_events.base import NodeRunResult
from graphon.nodes.http_request import node as http_node
from graphon.nodes.http_request.entities import HttpRequestNodeTimeout, Response
from graphon.nodes.http_request.node import HttpRequestNode
from graphon.variables.segments import ArrayFileSegment

from engine.files.naming import named
from engine.network.http_client import TIMEOUTS
from engine.nodes.http_body import RequestMaker

# The node makes its own, by this name.
http_node.Executor = RequestMaker


class NamingHttpRequestNode(HttpRequestNode):
    """The engine's own forgets what a file was called; the next node, and the person, want to know."""

    def _run(self) -> NodeRunResult:
        # The key is filled in on the node's own data; another attempt must not fill in the result.
        config = self.node_data.authorization.config
        key = config.api_key if config else ""
        try:
            return super()._run()
        finally:
            if config:
                config.api_key = key

    def _get_request_timeout(self, node_data: Any) -> HttpRequestNodeTimeout:
        asked = super()._get_request_timeout(node_data)
        connect, read, write = TIMEOUTS
        return HttpRequestNodeTimeout(
            connect=min(asked.connect or connect, connect),
            read=min(asked.read or read, read),
            write=min(asked.write or write, write),
        )

    def extract_files(self, url: str, response: Response) -> ArrayFileSegment:
        """The response as a file, if it is one: by its Content-Disposition, else by its address and type."""
        if not response.is_file:
            return ArrayFileSegment(value=[])
        name, mime_type = named(url, response.headers)
        made = self._tool_file_manager_factory().create_file_by_raw(
            file_binary=response.content, mimetype=mime_type, filename=name
        )
        file = self._file_reference_factory.build_from_mapping(
            mapping={"tool_file_id": made.id, "transfer_method": FileTransferMethod.TOOL_FILE}
        )
        return ArrayFileSegment(value=[file])
