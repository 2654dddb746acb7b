"""Building an engine for one run from its definition."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any

from graphon.engine import Engine
from graphon.engine.command.protocol import CommandChannel
from graphon.graph.graph import Graph
from graphon.runtime.init_params import InitParams
from graphon.runtime.runtime_state import RuntimeState
from graphon.runtime.variable_pool import VariablePool
from graphon.variables.factory import TypeMismatchError, build_segment, build_segment_with_type, segment_to_variable
from graphon.variables.segments import ArrayFileSegment, Segment
from graphon.variables.types import SegmentType

from engine.files.runtime import graph_value
from engine.inputs.variables import FILE_TYPES, variables
from engine.nodes.factory import DifyNodeFactory
from engine.nodes.services import Services
from engine.running.context import RunContext
from engine.running.inline import tell_layers_only, work_inline
from engine.running.taking_part import graph_of, start_of
from engine.running.workers import workers_for

_EMPTY: dict[str, Any] = {"number": 0, "object": {}, "boolean": False}


class GraphRefused(ValueError):
    """The definition's graph cannot be run at all; the text says why."""


def build(
    context: RunContext, services: Services, *, saved: str | None = None, channel: CommandChannel | None = None
) -> Engine:
    """Return an engine ready to run, from the beginning or from a saved state. Raises `GraphRefused`."""
    graph_config = graph_of(context.document)
    start = start_of(graph_config["nodes"])
    if start is None:
        raise GraphRefused("The workflow has no start node")
    if saved is None:
        state = RuntimeState(variable_pool=_pool(context, start), start_at=time.time(), workflow_id=context.version_id)
    else:
        state = RuntimeState.from_snapshot(saved)
    params = InitParams(workflow_id=context.version_id, graph_config=graph_config, run_context={}, call_depth=0)
    try:
        graph = Graph.init(
            graph_config=graph_config,
            node_factory=DifyNodeFactory(params, state, services),
            root_node_id=start,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise GraphRefused(f"The workflow cannot be run: {_first_line(error)}") from error
    workers = workers_for(graph_config, services.models)
    engine = Engine(
        graph=graph,
        runtime_state=state,
        workers=workers,
        command_channel=channel,
        file_runtime=services.file_runtime,
    )
    tell_layers_only(engine)
    if workers == 1:
        work_inline(engine)
    return engine


def _pool(context: RunContext, start: str) -> VariablePool:
    pool = VariablePool()
    for name, value in context.system_values().items():
        pool.add(("sys", name), ArrayFileSegment(value=graph_value(value)) if name == "files" else value)
    for item in context.document.get("environment_variables") or []:
        pool.add(("env", item["name"]), _typed(item, item.get("value")))
    for item in context.document.get("conversation_variables") or [] if context.is_chat else []:
        selector = ("conversation", item["name"])
        variable = segment_to_variable(
            segment=_kept(item, context.conversation_values),
            selector=selector,
            name=item["name"],
            variable_id=str(item.get("id") or item["name"]),
            description=item.get("description") or "",
        )
        pool.add(selector, variable)
    # By their declaration, not by their looks: an object that a client made up is no file.
    file_names = {variable.name for variable in variables(context.document) if variable.type in FILE_TYPES}
    for name, value in context.inputs.items():
        pool.add((start, name), graph_value(value) if name in file_names else value)
    return pool


def _kept(item: Mapping[str, Any], values: Mapping[str, Any]) -> Segment:
    """A conversation's own value; the default where it has none, or one that an edited app calls another type."""
    if item["name"] in values:
        with contextlib.suppress(GraphRefused):
            return _typed(item, values[item["name"]])
    return _typed(item, item.get("value"))


def _typed(item: Mapping[str, Any], value: Any) -> Segment:
    kind = item.get("value_type")
    # Arithmetic makes one of the other, so they are one type.
    kind = "number" if kind in ("integer", "float") else kind
    if not kind or kind == "secret":
        return build_segment("" if value is None else value)
    if value is None or (value == "" and kind != "string"):
        value = "" if kind == "string" else _EMPTY.get(kind, [])
    try:
        if kind in ("file", "array[file]"):
            value = graph_value(value)
        return build_segment_with_type(SegmentType(kind), value)
    except (ValueError, TypeError, TypeMismatchError) as error:
        raise GraphRefused(f"The variable '{item['name']}' is not of type {kind}: {error}") from error


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    # The engine puts its own code in front, and calls the outermost graph a scope without a name.
    return re.sub(r"^\[[A-Z_]+\] ", "", line).replace("Graph scope ''", "the graph")
