"""Turning the engine's events into those of an app without a workflow: text, an agent's thoughts, nothing of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphon import engine_events as ev

from engine.definition.easy_graph import MODEL
from engine.events.failures import cause_of
from engine.events.jsonable import jsonable
from engine.events.moderation import OutputCheck
from engine.files.run_files import shown
from engine.running.live import LiveRun


class EasyMapper:
    """One per run; it also ends the run when the author's word list says so."""

    repeats = 0  # these runs never stand still, so no node is started again

    def __init__(self, live: LiveRun, config: Mapping[str, Any]) -> None:
        self._live, self._payloads = live, live.payloads
        self._agent = live.context.mode == "agent-chat"
        self._check = OutputCheck(config)
        self._replaced: str | None = None

    def events(self, event: ev.EngineEvent) -> Iterator[dict[str, Any]]:
        """Yield the payloads (none, for most internal events) that an engine event stands for."""
        match event:
            case ev.NodeRunStreamChunkEvent():
                yield from self._text(event)
            case ev.NodeRunAgentLogEvent() if event.label == "message_file":
                yield self._file(dict(event.data))
            case ev.NodeRunAgentLogEvent():
                yield self._payloads.agent_thought(dict(event.data))
            case ev.NodeRunSucceededEvent() if event.node_id == MODEL:
                for file in shown(jsonable(event.node_run_result.outputs)):
                    yield self._file(file)
            case ev.NodeRunFailedEvent():
                self._live.cause = cause_of(event.node_run_result.error_type)

    def _file(self, file: dict[str, Any]) -> dict[str, Any]:
        self._live.made.append(file)
        return self._payloads.message_file(self._live.files.linked(file))

    def close_open(self, status: str, error: str | None) -> Iterable[dict[str, Any]]:
        """Return a last event for each open node: there are none to be seen."""
        return ()

    def replaced(self) -> str | None:
        """Return the author's answer if it took the place of the model's."""
        return self._replaced

    def _text(self, event: ev.NodeRunStreamChunkEvent) -> Iterator[dict[str, Any]]:
        if not event.chunk or self._replaced is not None:
            return
        source = list(event.selector)
        if source[0] != MODEL:  # an answer that does not come from the model
            yield self._payloads.text(event.chunk, source)
            return
        self._replaced = self._check.replacement(event.chunk)
        if self._replaced is not None:
            yield self._payloads.replacement(self._replaced, "output_moderation")
        elif self._agent:
            yield self._payloads.agent_text(event.chunk)
        else:
            yield self._payloads.text(event.chunk, source)
