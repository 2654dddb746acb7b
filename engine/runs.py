"""Runs of apps: start one, stop it, follow its events. The interface of this package to the rest of the
server.

A run works on its own thread; no client's connection is part of it. The engine proper is imported by `warm`
or by the first run, never by importing this module, so that the server answers before it is loaded.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

from engine import follow as reading
from engine.config import EngineConfig
from engine.definition import author_secrets
from engine.events.log import Follower
from engine.files import service as files
from engine.forms.mailer import Mailer
from engine.inputs.checks import plan
from engine.network.address_guard import AddressGuard
from engine.running import loading, recovery, unattended
from engine.running.keeper import Keeper
from engine.running.live import STOPPED
from engine.running.machine import Machine
from engine.running.opening import Most, open_run
from engine.running.worker_name import is_gone
from store import apps, idempotency
from store import runs as rows
from store.app_row import App
from store.caller import Caller
from store.refusal import Refusal


class _Engine:
    """A machine and who looks after its runs."""

    def __init__(self, config: EngineConfig) -> None:
        self.machine = Machine(config)
        self.keeper = Keeper(self.machine)
        self.mailer = Mailer(config.mail, self.machine.place.links, config.sweep_seconds) if config.mail else None
        self._closing, self._closed = threading.Lock(), False

    def close(self) -> None:
        """Let go of everything, once; who asks meanwhile waits until it is done."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self.keeper.close()
            if self.mailer:
                self.mailer.close()
            self.machine.close()


_engine: _Engine | None = None


def configure(config: EngineConfig | None = None) -> None:
    """Prepare to run apps; the store must be open. Runs that a lost process left unfinished go on from their
    checkpoint or end.
    """
    global _engine
    if _engine is not None:
        shutdown()
    config = config or EngineConfig()
    guard = AddressGuard(allow_private=config.allow_private_addresses, allowed_hosts=config.allowed_hosts)
    files.configure(config.files, guard)
    _engine = _Engine(config)
    with suppress(Refusal):  # the store is away for a moment: the keeper looks again
        recovery.recover(_engine.machine)
    _engine.keeper.begin()
    _engine.machine.watch.begin()
    if _engine.mailer:
        _engine.mailer.begin()


def config() -> EngineConfig:
    """Return the settings in use."""
    return machine().config


def warm() -> None:
    """Import the engine in the background, so that the first run does not wait for it."""
    if machine().holder:
        threading.Thread(target=_import_engine, name="run-warm", daemon=True).start()


def start(
    app: App, version: apps.Version | None, caller: Caller, body: Mapping[str, Any], key: str | None = None
) -> rows.Run:
    """Check a request to run an app, store the run and start it; returns the stored run (`store.runs.Run`).

    ``version`` is the app's published version, None when it has none; ``body`` is a checked ``AppRunRequest``. The
    caller's same request with the same ``key`` gets the run that the first one began. Refusals: those of
    `engine.inputs.checks.plan`, idempotency_conflict, and service_unavailable while the server shuts down.
    """
    claim = idempotency.claim(caller, app.id, key, body) if key else None
    # Before anything is checked: what was good enough to begin a run may not be so any more.
    if claim is not None and (begun := idempotency.run_of(claim)):
        return rows.begun(begun)
    chosen = machine()
    refuse_when_closing()
    planned = plan(app, version, caller, body, partial(author_secrets.opened, sealer=chosen.place.sealer))
    bounds = chosen.config
    most = Most(bounds.max_runs_per_subject, bounds.max_runs_per_app, bounds.max_paused_runs_per_subject)
    context, row = open_run(app, caller, planned, chosen.holder, chosen.config.lease_seconds, claim, most)
    if context is not None:
        chosen.start(context)
    return row


def refuse_when_closing() -> None:
    """Refuse what would only be cut off: the server is about to end, another one can be asked.

    Refusals: service_unavailable.
    """
    if machine().closed:
        raise Refusal("service_unavailable", "The server is shutting down.", headers={"Retry-After": "5"})


def stop(run: rows.Run) -> None:
    """End a run, with everything it is doing; when this returns its last event is written, if this process
    executes it or nobody does. Another process hears of it within a second.

    ``run`` is a `store.runs.Run` that the caller may see. A run that has ended stays as it is.
    """
    if run.is_over:
        return
    rows.request_stop(run.id)
    live = machine().live.get(run.id)
    if live is not None and live.end("stopped", STOPPED):
        return
    now = rows.for_worker(run.id)
    if now is not None and (now.status == "paused" or run.id in machine().waiting or is_gone(now.worker)):
        # Nobody executes it. Somebody may answer its form in this moment: then it begins and finds the wish.
        unattended.end(now, "stopped", STOPPED)
        machine().watch.touch(run.id)


async def follow(
    run_id: str, *, after: int | None = 0, snapshot: bool = False, through_pauses: bool = False
) -> AsyncIterator[tuple[int, str]]:
    """Yield the run's events as (number, JSON on one line), those that exist and then those that come.

    ``after`` is the number of the last event already seen; 0 starts at the beginning. None says that the
    reader has no position: an unfinished run is told from where it last went on after a pause, a finished one
    only by its ending (see `engine.follow.closing_events`); ``snapshot`` asks for the whole, in which pauses
    that are over are left out. Ends after the run's last event, and when the run waits for people, unless
    ``through_pauses``.
    """
    source = batches(run_id, after=after, snapshot=snapshot, through_pauses=through_pauses)
    async with aclosing(source):
        async for batch in source:
            for seq, payload in batch:
                yield seq, payload


async def batches(
    run_id: str,
    reader: Follower | None = None,
    *,
    after: int | None = 0,
    snapshot: bool = False,
    through_pauses: bool = False,
) -> AsyncGenerator[list[tuple[int, str]], None]:
    """Like `follow`, but by the handful; an empty list says that nothing happened for ``ping_seconds``. Ends also as
    soon as ``reader`` has lost its access.
    """
    chosen, hidden, ending = machine(), 0, False
    if after is None:
        opening = await asyncio.to_thread(reading.opening, run_id, snapshot)
        if opening.events:
            yield await _relinked(run_id, opening.events)
            return
        hidden, ending = opening.hidden, opening.ending
        after = 0 if snapshot else hidden
    source = reading.batches(chosen, run_id, after, chosen.config.ping_seconds, through_pauses, reader or Follower())
    fill = chosen.place.links.fill
    async with aclosing(source):
        async for batch in source:
            shown = [(seq, fill(text)) for seq, text in batch if seq > hidden or not reading.is_pause(text)]
            if ending:
                shown = [one for one in shown if reading.is_of_ending(one[1])]
            if shown or not batch:
                yield await _relinked(run_id, shown)
            batch = shown = []  # what was told is not kept until something follows it


async def _relinked(run_id: str, batch: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Events, of which some may be old, with links to the run's files that open."""
    store = files.current()
    if not any(store.links.has_old(text) for _, text in batch):
        return list(batch)

    def fresh() -> list[tuple[int, str]]:
        run = rows.begun(run_id)
        return [(seq, store.relinked(text, run, run.app_id)) for seq, text in batch]

    return await asyncio.to_thread(fresh)


def shutdown() -> None:
    """Let go of every run (kept for another process, or ended as failed with the reason), of threads and child
    processes. What is asked of this module afterwards is answered by a machine that is closed.
    """
    if _engine is None:
        return
    _engine.close()
    # Only if a run has asked for it: loading it here would hold up the end.
    if local := sys.modules.get("engine.models.local_server"):
        local.close_all()


def machine() -> Machine:
    """Return the machine in use, for the rest of this package."""
    if _engine is None:
        raise RuntimeError("engine.runs.configure() has not been called")
    return _engine.machine


def _import_engine() -> None:
    loading.execution()
    if _engine is not None and _engine.machine.config.models.kinds() & {"openai", "local"}:
        import engine.models.openai_chat  # noqa: F401
