"""The engine's port for tool nodes, on our tools."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphon.model_runtime.entities.llm_entities import LLMUsage
from graphon.nodes.tool.entities import ToolInputType
from graphon.nodes.tool.exc import ToolRuntimeInvocationError, ToolRuntimeResolutionError
from graphon.nodes.tool_runtime_entities import ToolRuntimeHandle, ToolRuntimeMessage, ToolRuntimeParameter
from graphon.variables.template_resolution import convert_template

from engine.events.jsonable import jsonable
from engine.files.runtime import graph_file
from engine.tools.registry import Toolbox, missing
from engine.tools.tool import Tool, ToolProblem

_M = ToolRuntimeMessage


@dataclass(frozen=True)
class _Bound:
    """A tool with what its node's author set: the settings, and constants that are no text."""

    tool: Tool
    settings: Mapping[str, Any]
    constants: Mapping[str, Any]


class ToolRuntime:
    """One per node."""

    def __init__(self, box: Toolbox) -> None:
        self._box = box

    def get_runtime(
        self, *, node_id: str, node_data: Any, variable_pool: Any, node_execution_id: str | None = None
    ) -> ToolRuntimeHandle:
        """Return the node's tool. Raises ToolRuntimeResolutionError, which says how to add one that is missing."""
        tool = self._box.find(node_data.provider_id, node_data.provider_name, node_data.tool_name)
        if tool is None:
            raise ToolRuntimeResolutionError(
                missing(node_data.provider_name or node_data.provider_id, node_data.tool_name)
            )
        settings = {
            name: convert_template(variable_pool, value).text if variable_pool and isinstance(value, str) else value
            for name, value in node_data.tool_configurations.items()
        }
        # The engine writes constants as text, objects and lists in Python's way.
        constants = {
            name: one.value
            for name, one in node_data.tool_parameters.items()
            if one.type == ToolInputType.CONSTANT and isinstance(one.value, (dict, list, bool))
        }
        return ToolRuntimeHandle(raw=_Bound(tool, settings, constants))

    def get_runtime_parameters(self, *, tool_runtime: ToolRuntimeHandle) -> Sequence[ToolRuntimeParameter]:
        """Return what the tool takes."""
        tool = _bound(tool_runtime).tool
        return [ToolRuntimeParameter(name=one.name, required=one.required) for one in tool.parameters]

    def invoke(
        self,
        *,
        tool_runtime: ToolRuntimeHandle,
        tool_parameters: Mapping[str, Any],
        workflow_call_depth: int,
        provider_name: str,
    ) -> Generator[ToolRuntimeMessage, None, None]:
        """Call the tool and yield what it gave. Raises ToolRuntimeInvocationError with its reason."""
        bound = _bound(tool_runtime)
        given = {name: value for name, value in tool_parameters.items() if value is not None}
        try:
            result = bound.tool.run(jsonable({**bound.settings, **given, **bound.constants}), self._box.context)
        except ToolProblem as problem:
            raise ToolRuntimeInvocationError(str(problem)) from None
        if result.text:
            yield _M(type=_M.MessageType.TEXT, message=_M.TextMessage(text=result.text))
        if result.value is not None:
            yield _M(type=_M.MessageType.JSON, message=_M.JsonMessage(json_object=result.value))
        for file in result.files:
            yield _M(type=_M.MessageType.FILE, message=_M.FileMessage(), meta={"file": graph_file(file)})
        for name, value in result.variables.items():
            message = _M.VariableMessage(variable_name=name, variable_value=value)
            yield _M(type=_M.MessageType.VARIABLE, message=message)

    def get_usage(self, *, tool_runtime: ToolRuntimeHandle) -> LLMUsage:
        """Return what the call cost in tokens: nothing."""
        return LLMUsage.empty_usage()

    def build_file_reference(self, *, mapping: Mapping[str, Any]) -> Any:
        """Refuse: files come as such."""
        raise ValueError("Tools of this server make no other files")


def _bound(handle: ToolRuntimeHandle) -> _Bound:
    if not isinstance(handle.raw, _Bound):
        raise TypeError("not a handle of ours")
    return handle.raw
