"""Runs of apps: start one, stop it, follow its events. The interface of this package to the rest of the
server.

A run works on its own thread; no client's connection is part of it. The engine proper is imported by `warm`
or by the first run, never by importing this module, so that the server answers before it is loaded.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine import files
from engine import follow as reading
from engine.address_guard import AddressGuard
from engine.checks import plan
from engine.config import EngineConfig
from engine.live import LiveRun
from engine.log import EventLog
from engine.opening import open_run, record_end, save_variables
from engine.recovery import end_lost_runs
from engine.sandbox.pool import SandboxPool
from engine.templates import TemplatePool
from engine.timers import Timers
from engine.writer import Writer
from store import apps
from store import events as stored
from store import runs as rows
from store.app_row import App
from store.caller import Caller
from store.clock import current

logger = logging.getLogger(__name__)

STOPPED = "Stopped by user."
SHUT_DOWN = "The server was shut down while this was running."


class _Machine:
    """The threads and pools of one configured engine."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.pool = ThreadPoolExecutor(config.max_concurrent_runs, thread_name_prefix="run")
        self.writer, self.timers = Writer(), Timers()
        self.templates = TemplatePool(
            seconds=config.template_seconds,
            memory_bytes=config.template_memory_bytes,
            limit=config.max_output_characters,
        )
        self.sandbox = SandboxPool(
            seconds=config.code_seconds,
            memory_bytes=config.code_memory_bytes,
            answer_bytes=config.max_code_answer_bytes,
        )
        self.live: dict[str, LiveRun] = {}
        self.lock = threading.Lock()
        self.closed = False


_machine: _Machine | None = None


def configure(config: EngineConfig | None = None) -> None:
    """Prepare to run apps; the store must be open. Runs that an earlier process left unfinished are ended
    here.
    """
    global _machine
    if _machine is not None:
        shutdown()
    config = config or EngineConfig()
    guard = AddressGuard(allow_private=config.allow_private_addresses, allowed_hosts=config.allowed_hosts)
    files.configure(config.files, guard)
    _machine = _Machine(config)
    end_lost_runs()


def config() -> EngineConfig:
    """Return the settings in use."""
    return _current().config


def warm() -> None:
    """Import the engine in the background, so that the first run does not wait for it."""
    threading.Thread(target=_import_engine, name="run-warm", daemon=True).start()


def start(app: App, version: apps.Version | None, caller: Caller, body: Mapping[str, Any]) -> rows.Run:
    """Check a request to run an app, store the run and start it; returns the stored run (`store.runs.Run`).

    ``version`` is the app's published version, None when it has none; ``body`` is a checked
    ``AppRunRequest``. Refusals: those of `engine.checks.plan`, and service_unavailable while the server shuts
    down.
    """
    machine = _current()
    context, row = open_run(app, caller, plan(app, version, caller, body))
    log = EventLog(row.id, stored.append)
    live = LiveRun(context, log, machine.writer, record_end, _now)
    with machine.lock:
        machine.live[row.id] = live
    try:
        machine.pool.submit(_work, machine, live)
    except RuntimeError:
        # The pool was closed between the check above and here.
        _forget(machine, live)
        live.end("failed", SHUT_DOWN)
    return row


def stop(run: rows.Run) -> None:
    """End a run, with everything it is doing; when this returns its last event is written.

    ``run`` is a `store.runs.Run` that the caller may see. A run that has ended stays as it is.
    """
    if run.is_over:
        return
    rows.request_stop(run.id)
    live = _current().live.get(run.id)
    if live is not None:
        live.end("stopped", STOPPED)


async def follow(run_id: str, *, after: int | None = 0, snapshot: bool = False) -> AsyncIterator[tuple[int, str]]:
    """Yield the run's events as (number, JSON on one line), those that exist and then those that come.

    ``after`` is the number of the last event already seen; 0 starts at the beginning. None says that the
    reader has no position: an unfinished run is told from the beginning, a finished one only by its ending
    (see `engine.follow.closing_events`), unless ``snapshot`` asks for the whole. Ends after the run's last
    event.
    """
    async for batch in batches(run_id, after=after, snapshot=snapshot):
        for seq, payload in batch:
            yield seq, payload


async def batches(
    run_id: str, *, after: int | None = 0, snapshot: bool = False
) -> AsyncIterator[list[tuple[int, str]]]:
    """Like `follow`, but by the handful; an empty list says that nothing happened for ``ping_seconds``."""
    machine = _current()
    idle = machine.config.ping_seconds
    live = machine.live.get(run_id)
    if live is not None and not live.log.finished:
        source = reading.live_batches(live.log, after or 0, idle)
    elif after is None and not snapshot and (closing := await asyncio.to_thread(reading.closing_events, run_id)):
        yield closing
        return
    else:
        source = reading.stored_batches(run_id, after or 0, idle)
    async for batch in source:
        yield batch


def shutdown() -> None:
    """End every run as failed, with the reason, and let go of threads and child processes."""
    global _machine
    machine, _machine = _machine, None
    if machine is None:
        return
    machine.pool.shutdown(wait=False, cancel_futures=True)
    for live in list(machine.live.values()):
        live.end("failed", SHUT_DOWN)
    machine.timers.close()
    machine.writer.close()
    machine.templates.close()
    machine.sandbox.close()
    # Only if a run has asked for it: loading it here would hold up the end.
    if local := sys.modules.get("engine.models.local_server"):
        local.close_all()


def _current() -> _Machine:
    if _machine is None:
        raise RuntimeError("engine.runs.configure() has not been called")
    return _machine


def _work(machine: _Machine, live: LiveRun) -> None:
    context = live.context
    limit = machine.config.max_execution_seconds

    def expire() -> None:
        live.end("failed", f"Aborted: Maximum execution time exceeded: {limit:.2f}s > {limit:g}s")

    deadline = machine.timers.after(limit, expire)
    try:
        if live.ended.is_set() or not rows.begin(context.run_id):
            live.end("stopped", STOPPED)
            return
        live.begin()
        from engine.execute import execute

        execute(live, machine.config, machine.templates, machine.sandbox, lambda v: save_variables(context, v))
    except Exception:
        logger.exception("Run %s could not be carried out", context.run_id)
        live.end("failed", "The run ended because of an internal error.")
    finally:
        machine.timers.cancel(deadline)
        _forget(machine, live)


def _forget(machine: _Machine, live: LiveRun) -> None:
    with machine.lock:
        machine.live.pop(live.context.run_id, None)


def _import_engine() -> None:
    import engine.execute

    if _machine is not None and _machine.config.models.kinds() & {"openai", "local"}:
        import engine.models.openai_chat  # noqa: F401


def _now() -> int:
    return int(current().now().timestamp())
