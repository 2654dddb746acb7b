"""A run that stands still: because it waits for people, or to be kept so that another process can go on with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from graphon.engine import Engine
from graphon.engine_events import GraphRunPausedEvent
from graphon.entities.pause_reason import SchedulingPause

from engine.events.jsonable import jsonable
from engine.events.layers import PublishLayer
from engine.events.mapper import Mapper
from engine.forms.desk import FormDesk
from engine.running.gate import Gate
from engine.running.live import STOPPED, LiveRun
from engine.running.saved import Saved, dump
from engine.running.workplace import Workplace
from store import checkpoints, forms
from store.checkpoints import Halt
from store.forms import Draft

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class Standstill:
    """For one run; the engine must have stopped at a pause when these are called."""

    def __init__(
        self,
        live: LiveRun,
        place: Workplace,
        engine: Engine,
        mapper: Mapper,
        publisher: PublishLayer,
        desk: FormDesk,
        steps: Callable[[], int],
    ) -> None:
        self._live, self._place, self._engine = live, place, engine
        self._mapper, self._publisher, self._desk = mapper, publisher, desk
        self._steps = steps

    def pause(self) -> str:
        """Wait for the forms asked: tell of them and store everything, in one transaction.

        Returns ``paused``, or why not (see `store.checkpoints.pause`), or ``ended``.
        """
        answer = "ended"

        def store(first: int, texts: list[str]) -> bool:
            nonlocal answer
            answer = checkpoints.pause(self._halt(first, texts))
            return answer == "paused"

        self._live.halt(self._events, store)
        self._learn()
        return answer

    def keep(self, *, release: bool) -> bool:
        """Keep the run's state without a word to its readers; with ``release`` for another process to go on."""
        # Before any reader can see that nothing more comes: this is no pause that one could wait through.
        self._live.abandoned = release
        stored = self._live.halt(
            list,
            lambda first, texts: checkpoints.save(self._halt(first, texts), release=release),
            last=release,
        )
        self._learn()
        return stored

    def _learn(self) -> None:
        self._desk.learn(forms.of_run(self._live.context.run_id))

    def _events(self) -> list[dict[str, Any]]:
        payloads, state = self._live.payloads, self._engine.runtime_state
        nodes = {one.session_id: one.node_id for one in state.graph_execution.pause_reasons}
        told = [(one.id, nodes.get(one.id, ""), one.definition) for one in self._desk.waiting() if one.id in nodes]
        paused = payloads.workflow_paused(
            told,
            outputs=jsonable(dict(state.outputs)),
            elapsed=self._live.elapsed,
            tokens=self._live.meter.total()["total_tokens"],
            steps=state.node_run_steps - self._mapper.repeats,
        )
        return [*(payloads.form_required(*one) for one in told), paused]

    def _halt(self, first: int, texts: list[str]) -> Halt:
        live = self._live
        saved = Saved(
            context=live.context,
            state=self._engine.runtime_state.dumps(),
            filter=self._publisher.dumps(),
            mapper=self._mapper.dumps(),
            answer=live.answer,
            elapsed=live.elapsed,
            steps=self._steps(),
            citations=live.citations.shown(),
            told=live.told,
            usage=live.meter.total(),
        )
        return Halt(
            run_id=live.context.run_id,
            worker=self._place.worker,
            sealed=self._place.sealer.seal(dump(saved)),
            first_seq=first,
            payloads=texts,
            waiting=[one.execution_id for one in self._desk.waiting()],
            drafts=[self._clean(draft) for draft in self._desk.drafts()],
            metadata=live.clean({"usage": saved.usage, "retriever_resources": saved.citations}),
        )

    def _clean(self, draft: Draft) -> Draft:
        # What is stored of a form is what its events say: without the values of secrets.
        mails = [replace(one, **self._live.clean({"subject": one.subject, "body": one.body})) for one in draft.mails]
        return replace(draft, definition=self._live.clean(draft.definition), mails=tuple(mails))


class Pauses:
    """What follows when an engine stands still."""

    def __init__(self, live: LiveRun, gate: Gate, still: Standstill) -> None:
        self._live, self._gate, self._still = live, gate, still
        self._releasing = threading.Event()
        live.on_release(self._release)

    def stay(self, pause: GraphRunPausedEvent) -> bool:
        """Return whether the run is left for now; if not, its engine has to go on."""
        if self._live.ended.is_set():
            return True
        if self._releasing.is_set():
            if not self._kept(release=True):
                self._live.abandon("lost")
            return True
        if any(isinstance(reason, SchedulingPause) for reason in pause.reasons):
            self._kept(release=False)
            return False
        answer = self._paused()
        if answer == "lost":
            self._live.abandon("lost")
        elif answer == "stopping":
            self._live.end("stopped", STOPPED)
        return answer != "answered"

    def _kept(self, *, release: bool) -> bool:
        try:
            return self._still.keep(release=release)
        except Exception:
            # The store is away: the run goes on, from an earlier checkpoint if it has to.
            logger.exception("Run %s could not be kept", self._live.context.run_id)
            return False

    def _paused(self) -> str:
        while not self._live.ended.is_set():
            try:
                return self._still.pause()
            except Exception:
                logger.exception("Run %s could not pause; it is tried again", self._live.context.run_id)
                self._live.ended.wait(_RETRY_SECONDS)
        return "ended"

    def _release(self) -> None:
        self._releasing.set()
        self._gate.ask_checkpoint()
