"""The text of answer and end nodes, in the order of their templates: graphon's response filter, mended.

What graphon 0.8.0 gets wrong and is put right here:

* It lists every path from the start to a response node, twice as many with each branch: sixteen branches in a row took
  four seconds, twenty a minute. Here the graph is searched backwards.
* A value that is streamed could be read once; a second reference to it in the same answer, or in a later one, told
  nothing.
* Pieces of an attempt that failed stayed in the text, before those of the next attempt or of the default value.
* A reference that finds nothing held back the text behind it for good.
* Answers inside iterations and loops told nothing, though they are part of the run's answer.
* It keeps each piece of a value for later readers, with five kilobytes around it: 4 MB in small pieces took hundreds.

Private members are used: the engine is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphon.engine.filter import ResponseStreamFilter
from graphon.engine_events import (
    EngineEvent,
    NodeRunExceptionEvent,
    NodeRunRetryEvent,
    NodeRunStreamChunkEvent,
    NodeRunSucceededEvent,
)
from graphon.enums import BuiltinNodeTypes, NodeState
from graphon.node_events.base import NodeRunResult
from graphon.nodes.base.template import VariableSegment

_ANSWER = BuiltinNodeTypes.ANSWER
_NOTHING = NodeRunResult()  # what pieces have for a result
_MOST_PIECES = 1000  # of one value; more are put together


class TakenBack(EngineEvent):
    """The last ``length`` characters that were told are not part of the text: the attempt that said them failed."""

    length: int


class TextFilter(ResponseStreamFilter):
    """Lets through what a run's readers may see, its text in order."""

    def _reset_run_state(self) -> None:
        super()._reset_run_state()
        self._taken: set[str] = set()
        # Selector → where (response node, place in its template) it is being read.
        self._readers: dict[tuple[str, ...], tuple[str, int]] = {}
        self._executed: set[str] = set()

    def _apply_state(self, state: Any) -> None:
        super()._apply_state(state)
        graph = self._bound_graph
        self._taken = {name for name, edge in graph.edges.items() if edge.state == NodeState.TAKEN}
        if session := self._active_session:
            # It was read as far as it went when the session became active.
            segment = session.template.segments[session.index]
            if isinstance(segment, VariableSegment):
                self._readers[tuple(segment.selector)] = (session.node_id, session.index)

    def _process_event(self, event: EngineEvent) -> Iterable[EngineEvent]:
        if isinstance(event, NodeRunRetryEvent | NodeRunExceptionEvent) and not event.container_id:
            taken = self._take_back(event.node_id)
            if isinstance(event, NodeRunRetryEvent):
                return [event, *taken]
            return [*taken, *super()._process_event(event)]
        if isinstance(event, NodeRunSucceededEvent):
            if event.container_id and event.node_type == _ANSWER:
                return [_whole(event), *super()._process_event(event)]
            if event.node_id in self._response_nodes:
                self._executed.add(event.node_id)
        return super()._process_event(event)

    def _handle_stream_chunk(self, event: NodeRunStreamChunkEvent) -> list[EngineEvent]:
        event.node_run_result = _NOTHING
        told: list[EngineEvent] = super()._handle_stream_chunk(event)
        selector, buffers = tuple(event.selector), self._stream_buffers
        pieces = buffers.events.get(selector, [])
        if len(pieces) >= _MOST_PIECES and buffers.positions[selector] in (0, len(pieces)):
            whole = pieces[-1].model_copy(update={"chunk": "".join(piece.chunk for piece in pieces)})
            buffers.positions[selector] = min(1, buffers.positions[selector])
            pieces[:] = [whole]
        return told

    def _take_back(self, node_id: str) -> list[EngineEvent]:
        buffers, length = self._stream_buffers, 0
        for selector in [one for one in buffers.events if one[0] == node_id]:
            if self._reads(selector):
                told = buffers.events[selector][: buffers.positions[selector]]
                length += sum(len(piece.chunk) for piece in told)
            del buffers.events[selector], buffers.positions[selector]
        return [TakenBack(length=length)] if length else []

    def _reads(self, selector: tuple[str, ...]) -> bool:
        session = self._active_session
        return session is not None and self._readers.get(selector) == (session.node_id, session.index)

    def _process_variable_segment(self, segment: VariableSegment) -> tuple[list[Any], bool]:
        session, selector = self._active_session, tuple(segment.selector)
        if session is not None and not self._reads(selector):
            self._readers[selector] = (session.node_id, session.index)
            if selector in self._stream_buffers.events:
                self._stream_buffers.positions[selector] = 0
        events, complete = super()._process_variable_segment(segment)
        if complete or session is None or session.node_id not in self._executed:
            return events, complete
        # The response node itself is done: nothing that it refers to is still to come.
        if not events and self._shows_unknown(session.node_id, selector[0]):
            event = self._create_stream_chunk_event(
                session.node_id, self._get_or_create_execution_id(session.node_id), selector, ".".join(selector)
            )
            return [event], True
        return events, True

    def _shows_unknown(self, response_node_id: str, name: str) -> bool:
        """Whether a reference stays in the text: an answer's, to a node that is nowhere, not even in a container."""
        node: Any = self._bound_graph.nodes[response_node_id]
        return node.node_type == _ANSWER and all(one["id"] != name for one in node.graph_config["nodes"])

    def _build_paths_map(self, response_node_id: str) -> list[Any]:
        return []

    def _activate_initial_sessions(self) -> list[EngineEvent]:
        return self._activate()

    def _handle_edge_taken(self, edge_id: str) -> list[EngineEvent]:
        self._taken.add(edge_id)
        return self._activate()

    def _activate(self) -> list[EngineEvent]:
        reachable = [node_id for node_id in sorted(self._response_sessions) if self._is_decided(node_id)]
        return [event for node_id in reachable for event in self._active_or_queue_session(node_id)]

    def _is_decided(self, response_node_id: str) -> bool:
        """Whether a way from the start leads here on which each edge that decides something was taken."""
        graph, selectors = self._bound_graph, self._get_response_variable_selectors(response_node_id)
        waiting, seen = [response_node_id], {response_node_id}
        while waiting:
            node_id = waiting.pop()
            if node_id == graph.root_node.id:
                return True
            for edge in graph.get_incoming_edges(node_id):
                if edge.tail in seen:
                    continue
                if edge.id in self._taken or not self._is_blocking_edge(edge.id, selectors):
                    seen.add(edge.tail)
                    waiting.append(edge.tail)
        return False


def _whole(event: NodeRunSucceededEvent) -> NodeRunStreamChunkEvent:
    """What an answer inside a container says, when it is done: the engine has no session for it."""
    return NodeRunStreamChunkEvent(
        id=event.id,
        node_id=event.node_id,
        node_type=event.node_type,
        container_id=event.container_id,
        selector=[event.node_id, "answer"],
        chunk=str(event.node_run_result.outputs["answer"]),
        is_final=True,
    )
