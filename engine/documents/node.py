"""The document-extractor node: the text of a file, or of each file of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphon.entities.base_node_data import BaseNodeData
from graphon.enums import BuiltinNodeTypes, NodeType, WorkflowNodeExecutionStatus
from graphon.file.file_manager import file_manager
from graphon.file.models import File
from graphon.node_events.base import NodeRunResult
from graphon.nodes.base.node import Node
from graphon.variables.segments import ArrayFileSegment, ArrayStringSegment, FileSegment

from engine.documents.pool import DocumentReader, DocumentRefused
from engine.files.kinds import extension_for
from engine.running.cancel import CancelToken

# The engine's own node cannot be imported here: it brings 300 MB of libraries along.


class DocumentExtractorData(BaseNodeData):
    """The node's settings: which variable holds the file or the files."""

    type: NodeType = BuiltinNodeTypes.DOCUMENT_EXTRACTOR
    variable_selector: Sequence[str]


class DocumentExtractorNode(Node[DocumentExtractorData]):
    """Output ``text``: a string for one file, a list of strings for a list."""

    node_type = BuiltinNodeTypes.DOCUMENT_EXTRACTOR

    def __init__(self, *args: Any, reader: DocumentReader, cancel: CancelToken, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reader, self._cancel = reader, cancel

    @classmethod
    def version(cls) -> str:
        """The version of the settings."""
        return "1"

    @property
    def retry(self) -> bool:
        """Whether a failed attempt is repeated: as the node says, because files are fetched from elsewhere."""
        return bool(self.node_data.retry_config.retry_enabled)

    def _run(self) -> NodeRunResult:
        selector = self.node_data.variable_selector
        variable = self.runtime_state.variable_pool.get(selector)
        inputs: dict[str, Any] = {"variable_selector": list(selector)}
        if variable is None:
            return _failed(f"Variable {'.'.join(selector)} not found", inputs)
        if variable.value and not isinstance(variable, FileSegment | ArrayFileSegment):
            return _failed(f"The variable {'.'.join(selector)} is not a file or a list of files", inputs)
        try:
            if isinstance(variable, FileSegment):
                text: Any = self._text(variable.value)
            else:
                text = ArrayStringSegment(value=[self._one_of(file) for file in variable.value or []])
        except DocumentRefused as error:
            return _failed(str(error), inputs, "TextExtractionError")
        except (ValueError, OSError) as error:
            return _failed(f"The file cannot be fetched: {error}", inputs, "FileDownloadError")
        return NodeRunResult(status=WorkflowNodeExecutionStatus.SUCCEEDED, inputs=inputs, outputs={"text": text})

    def _one_of(self, file: File) -> str:
        """The text of one file of several: what is wrong with it is told with its name."""
        try:
            return self._text(file)
        except (DocumentRefused, ValueError, OSError) as error:
            raise type(error)(f"{file.filename or 'file'}: {error}") from None

    def _text(self, file: File) -> str:
        extension = (file.extension or "").removeprefix(".").lower() or extension_for(file.mime_type or "")
        fetch: Callable[[File], bytes] = file_manager.download
        try:
            content = fetch(file)
        except Exception as error:
            self._cancel.check()
            raise ValueError(str(error)) from None
        return self._reader.text([content], extension, self._cancel)

    @classmethod
    def _extract_variable_selector_to_variable_mapping(
        cls, *, graph_config: Mapping[str, Any], node_id: str, node_data: DocumentExtractorData
    ) -> Mapping[str, Sequence[str]]:
        return {f"{node_id}.files": node_data.variable_selector}


def _failed(error: str, inputs: Mapping[str, Any], kind: str = "DocumentExtractorError") -> NodeRunResult:
    return NodeRunResult(status=WorkflowNodeExecutionStatus.FAILED, inputs=inputs, error=error, error_type=kind)
