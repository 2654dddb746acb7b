"""Running one graph from first node to last, on the calling thread."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from graphon import engine_events as ev
from graphon.engine import Engine

from engine.events.easy_mapper import EasyMapper
from engine.events.failures import in_words
from engine.events.jsonable import jsonable
from engine.events.layers import ConversationLayer, PublishLayer
from engine.events.mapper import Mapper
from engine.events.moderation import OutputCheck
from engine.events.rounds import Rounds
from engine.files import service as files
from engine.files.runtime import FileRuntime
from engine.forms.desk import FormDesk
from engine.forms.mails import Outgoing
from engine.knowledge.lookup import Knowledge
from engine.network.address_guard import AddressGuard
from engine.network.http_client import GuardedHttpClient
from engine.nodes.code_executor import CodeExecutor
from engine.nodes.memory import History
from engine.nodes.services import Renderer, Services
from engine.running import dispatch_cache
from engine.running.gate import Gate
from engine.running.graph import GraphRefused, build, graph_of
from engine.running.live import LiveRun
from engine.running.saved import Saved
from engine.running.standstill import Pauses, Standstill
from engine.running.workplace import Workplace
from engine.tools.custom import finder
from engine.tools.registry import Toolbox
from engine.tools.tool import ToolContext
from store import forms, workspaces
from store.clock import current

logger = logging.getLogger(__name__)

# Failures of an app's nodes are its author's business and are told in its events; the engine would log each
# with a traceback and with the values that led to it.
logging.getLogger("graphon").setLevel(logging.CRITICAL + 1)

dispatch_cache.switch_off()

INTERNAL = "The run ended because of an internal error."


class EngineProgress:
    """What the engine's state says about a run so far."""

    def __init__(self, engine: Engine, mapper: Mapper | EasyMapper) -> None:
        self._engine, self._mapper = engine, mapper

    def figures(self) -> tuple[int, int, int, dict[str, int]]:
        """Return total tokens, steps, handled exceptions, and the tokens by kind."""
        state = self._engine.runtime_state
        usage = state.llm_usage
        counts = {name: int(getattr(usage, name)) for name in _USAGE}
        steps = state.node_run_steps - self._mapper.repeats
        return state.total_tokens, steps, state.graph_execution.exceptions_count, counts

    def outputs(self) -> dict[str, Any]:
        """Return the outputs so far."""
        return dict(self._engine.runtime_state.outputs)

    def close_open(self, status: str, error: str | None) -> Iterable[dict[str, Any]]:
        """Return a last event for each node still at work."""
        return self._mapper.close_open(status, error)


_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


def execute(
    live: LiveRun, place: Workplace, save: Callable[[dict[str, Any]], None], saved: Saved | None = None
) -> None:
    """Run ``live`` until it ends or stands still; returns when the engine is done with it. Never raises.

    ``save`` stores the conversation's variables (all of them) each time one is written. ``saved`` is what the
    run remembers from before it stood still.
    """
    try:
        _run(live, place, save, saved)
    except GraphRefused as error:
        live.end("failed", str(error))
    except Exception as error:
        _report(live, "Run %s broke: %s", error)
        live.end("failed", INTERNAL)


def _report(live: LiveRun, message: str, error: Exception) -> None:
    """Log an error of ours: its text may quote what the run worked on, so the run's secrets are taken out."""
    logger.error(message, live.context.run_id, live.clean("".join(traceback.format_exception(error))))


def _run(live: LiveRun, place: Workplace, save: Callable[[dict[str, Any]], None], saved: Saved | None) -> None:
    context = live.context
    live.begin()
    members = partial(workspaces.addresses_of_app, context.app_id)
    outgoing = Outgoing(members, place.links.address_hash) if place.config.mail else None
    longest = timedelta(seconds=place.config.form_seconds)
    desk = FormDesk(place.links, forms.of_run(context.run_id) if saved else (), outgoing, longest)
    gate = Gate(place.config.checkpoint_seconds if context.is_flow else 0)
    engine = build(context, _services(live, place, desk), saved=saved.state if saved else None, channel=gate)
    gate.attach(engine)
    mapper: Mapper | EasyMapper
    if context.is_flow:
        check = OutputCheck(context.document.get("features") or {}) if context.is_chat else None
        graph = graph_of(context.document)
        rounds = Rounds([one["id"] for one in graph["nodes"] if one["data"].get("type") == "iteration"])
        engine.add_layer(rounds)
        mapper = Mapper(live.payloads, graph, desk.decided, lambda: live.answer, check, rounds.take)
    else:
        mapper = EasyMapper(live, context.document["model_config"])
    live.progress = EngineProgress(engine, mapper)
    values = dict(context.conversation_values)

    def save_variable(name: str, value: Any) -> None:
        values[name] = value
        save(dict(values))

    def broke(error: Exception) -> None:
        _report(live, "Run %s: an event could not be sent: %s", error)
        live.end("failed", INTERNAL)

    publish = _Publisher(live, mapper, place.config.max_execution_steps, saved.steps if saved else 0)
    layer = PublishLayer(engine, publish, broke, saved.filter if saved else None)
    # The variables first: the text that the filter lets through may show what was just written.
    engine.add_layer(ConversationLayer(engine, save_variable, broke))
    engine.add_layer(layer)
    pauses = None
    # Only flows stand still: the other modes have no node that asks, and nothing to go on from.
    if isinstance(mapper, Mapper):
        if saved is not None:
            mapper.loads(saved.mapper)
            live.said.replaced = mapper.replaced
        still = Standstill(live, place, engine, mapper, layer, desk, lambda: publish.steps)
        pauses = Pauses(live, gate, still)

    def finish(last: ev.EngineEvent | None) -> None:
        layer.flush()
        _end(live, last)

    while isinstance(ending := _drive(live, engine, gate, finish), ev.GraphRunPausedEvent):
        if pauses is None or pauses.stay(ending):
            return
    finish(ending)


def _services(live: LiveRun, place: Workplace, desk: FormDesk) -> Services:
    config, context = place.config, live.context
    guard = AddressGuard(allow_private=config.allow_private_addresses, allowed_hosts=config.allowed_hosts)
    http_client = GuardedHttpClient(guard, live.cancel, config.max_http_bytes)

    def html(content: bytes) -> str:
        return files.current().reader.text([content], "html", live.cancel)

    return Services(
        cancel=live.cancel,
        renderer=Renderer(place.templates, live.cancel),
        code=CodeExecutor(place.sandbox, live.cancel),
        http_client=http_client,
        history=History(context.history).beside([context.query or ""]) if context.is_chat else None,
        forms=desk,
        max_output_characters=config.max_output_characters,
        tools=Toolbox(
            ToolContext(live.cancel, http_client, current().now, html),
            finder(context.app_id, config.secret_key, config.tool_credentials),
        ),
        models=config.models,
        knowledge=Knowledge(context.app_id),
        files=live.files,
        file_runtime=FileRuntime(
            live.files, lambda most: GuardedHttpClient(guard, live.cancel, most), config.files.limits
        ),
    )


class _Publisher:
    """Sends what the engine tells, and counts the nodes it starts."""

    def __init__(self, live: LiveRun, mapper: Mapper | EasyMapper, max_steps: int, steps: int) -> None:
        self._live, self._mapper, self._max_steps, self.steps = live, mapper, max_steps, steps

    def __call__(self, event: ev.EngineEvent) -> None:
        if self._live.ended.is_set():
            return
        if isinstance(event, ev.NodeRunStartedEvent) and not isinstance(event, ev.NodeRunRetryEvent):
            self.steps += 1
            if self.steps > self._max_steps:
                message = f"Aborted: Maximum execution steps exceeded: {self.steps} > {self._max_steps}"
                self._live.end("failed", message)
                return
        if isinstance(event, ev.NodeRunRetrieverResourceEvent):
            self._live.citations.add(event.retriever_resources)
        self._live.emit(lambda: self._mapper.events(event))
        if isinstance(self._mapper, EasyMapper) and (answer := self._mapper.replaced()) is not None:
            self._live.end("succeeded", None, {"answer": answer, "files": []})


def _drive(
    live: LiveRun, engine: Engine, gate: Gate, finish: Callable[[ev.EngineEvent], None]
) -> ev.EngineEvent | None:
    """Let the engine work; returns its last event. The engine raises after a failure it has already told.

    A success is finished as soon as it is told: the engine then spends up to 10 ms on ending its threads.
    """
    last: ev.EngineEvent | None = None
    gate.resumed()
    with live.cancel.hook(lambda: engine.request_abort("ended")):
        try:
            for event in engine.run():
                last = event
                if isinstance(event, ev.GraphRunSucceededEvent | ev.GraphRunPartialSucceededEvent):
                    finish(event)
        except Exception as error:
            if not isinstance(last, ev.GraphRunFailedEvent):
                last = ev.GraphRunFailedEvent(error=str(error) or type(error).__name__)
    return last


def _end(live: LiveRun, last: ev.EngineEvent | None) -> None:
    match last:
        case ev.GraphRunSucceededEvent():
            live.end("succeeded", None, _outputs(live, last.outputs))
        case ev.GraphRunPartialSucceededEvent():
            live.end("partial-succeeded", None, _outputs(live, last.outputs))
        case ev.GraphRunFailedEvent():
            live.end("failed", in_words(last.error))
        case ev.GraphRunAbortedEvent():
            live.end("stopped", "Stopped by user.")
        case _:
            live.end("failed", INTERNAL)


def _outputs(live: LiveRun, outputs: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = jsonable(outputs)
    if not live.context.is_chat:
        return found
    found = {"answer": "", "files": [], **found}
    if Counter(found["answer"]) == Counter(live.answer):
        # Answers of branches side by side: the engine notes them as they end, readers were told them in order.
        found["answer"] = live.answer
    return found
