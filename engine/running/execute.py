"""Running one graph from first node to last, on the calling thread."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable
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
from engine.forms.desk import FormDesk
from engine.forms.mails import Outgoing
from engine.nodes import text_forms
from engine.nodes.text_limit import TextLimit, limit_texts
from engine.running import dispatch_cache, retry_wait
from engine.running.acts import Acts
from engine.running.cancel import Cancelled
from engine.running.gate import Gate
from engine.running.graph import GraphRefused, build
from engine.running.kept import Kept
from engine.running.live import LiveRun
from engine.running.node_services import node_services
from engine.running.progress import EngineProgress
from engine.running.publisher import Publisher
from engine.running.repeatable import acting_nodes
from engine.running.saved import Saved
from engine.running.standstill import Pauses, Standstill
from engine.running.store_patience import StorePatience
from engine.running.taking_part import graph_of
from engine.running.workplace import Workplace
from store import forms, workspaces

logger = logging.getLogger(__name__)

# Failures of an app's nodes are its author's business and are told in its events; the engine would log each
# with a traceback and with the values that led to it.
logging.getLogger("graphon").setLevel(logging.CRITICAL + 1)

dispatch_cache.switch_off()
limit_texts()
text_forms.use()
retry_wait.use()

INTERNAL = "The run ended because of an internal error."


def execute(
    live: LiveRun, place: Workplace, save: Callable[[dict[str, Any]], None], saved: Saved | None = None
) -> None:
    """Run ``live`` until it ends or stands still; returns when the engine is done with it. Never raises.

    ``save`` stores the conversation's variables (all of them) each time one is written. ``saved`` is what the
    run remembers from before it stood still.
    """
    try:
        _run(live, place, save, saved)
    except Cancelled:
        pass  # the run ended before its engine began
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
    engine = build(context, node_services(live, place, desk), saved=saved.state if saved else None, channel=gate)
    gate.attach(engine)
    engine.add_layer(StorePatience())
    engine.add_layer(TextLimit())
    mapper: Mapper | EasyMapper
    iterations: list[str] = []
    if context.is_flow:
        check = OutputCheck(context.document.get("features") or {}) if context.is_chat else None
        graph = graph_of(context.document)
        iterations = [one["id"] for one in graph["nodes"] if one["data"].get("type") == "iteration"]
        rounds = Rounds(iterations)
        engine.add_layer(rounds)
        engine.add_layer(Acts(acting_nodes(context.document), gate.note_done))
        mapper = Mapper(live.payloads, graph, desk.decided, lambda: live.answer, check, rounds.take)
        if saved is not None:
            mapper.loads(saved.mapper)
            live.said.replaced = mapper.replaced
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

    # What the run may tell once in full it may also keep, and as much again on the way to that.
    kept = Kept(
        2 * place.config.max_run_bytes, iterations, engine.runtime_state.variable_pool.variable_dictionary, live.hold
    )
    publish = Publisher(live, mapper, kept, place.config.max_execution_steps, saved.steps if saved else 0)
    layer = PublishLayer(engine, publish, broke, saved.filter if saved else None)
    engine.add_layer(retry_wait.RetryWait(live.cancel))
    # The variables first: the text that the filter lets through may show what was just written.
    engine.add_layer(ConversationLayer(engine, save_variable, broke))
    engine.add_layer(layer)
    pauses = None
    # Only flows stand still: the other modes have no node that asks, and nothing to go on from.
    if isinstance(mapper, Mapper):
        still = Standstill(live, place, engine, mapper, layer, desk, lambda: publish.steps)
        pauses = Pauses(live, gate, still)

    def finish(last: ev.EngineEvent | None) -> None:
        layer.flush()
        _end(live, last)

    while isinstance(ending := _drive(live, engine, gate, finish), ev.GraphRunPausedEvent):
        if pauses is None or pauses.stay(ending):
            return
    finish(ending)


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
    if Counter(found["answer"]) <= Counter(live.answer):
        # Answers of branches side by side: the engine notes them as they end, readers were told them in order. What
        # a round said that failed later, it does not note at all.
        found["answer"] = live.answer
    return found
