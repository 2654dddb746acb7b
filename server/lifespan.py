"""What is opened before the first request and closed after the last: the store, the engine, the threads.

uvicorn waits for open connections *before* it tells the app to shut down, so an open event stream would hold
it for ever. Therefore the signal itself, when it arrives, ends the runs; their streams send their last event
and close.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import structlog

import store
from server.settings import Settings
from server.threads import Threads

WARM_AFTER = 1.0  # seconds
# Seconds that a busy thread works before another gets its turn. With Python's own 5 ms a run that is all work, with no
# model to wait for, kept its first event from its readers for 50 ms; with 1 ms it is 12, and not less is done in all.
TURN = 0.001
FIRST_SWEEP, SWEEP_EVERY = 60.0, 3600.0  # seconds
log = structlog.get_logger("lifespan")
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def resources(settings: Settings) -> Iterator[None]:
    """The store and the engine, open within the ``with``. For tests and commands without uvicorn."""
    from engine import runs
    from engine.config import EngineConfig
    from engine.files.config import FileConfig
    from engine.running import resealing
    from engine.running.sealing import Sealer

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store.open(settings.store_url, limits=settings.store_limits)
    try:
        # What earlier versions stored in the clear is sealed before anything is served.
        resealing.seal_stored(Sealer(settings.secret(), settings.old_secrets()), _told)
        runs.configure(
            EngineConfig(
                max_execution_seconds=settings.max_execution_seconds,
                max_execution_steps=settings.max_execution_steps,
                code_seconds=settings.code_seconds,
                code_memory_bytes=settings.code_memory_mb * 1024 * 1024,
                allow_private_addresses=settings.allow_private_addresses,
                allowed_hosts=frozenset(settings.allowed_outbound_hosts),
                max_concurrent_runs=settings.max_concurrent_runs,
                max_runs_per_app=settings.max_runs_per_app,
                max_runs_per_subject=settings.max_runs_per_subject,
                max_run_bytes_per_subject=settings.max_run_bytes_per_subject,
                max_paused_runs_per_subject=settings.max_paused_runs_per_subject,
                large_reads_per_subject=settings.large_reads_per_subject,
                models=settings.model_table(),
                secret_key=settings.secret(),
                old_secret_keys=settings.old_secrets(),
                tool_credentials=settings.credentials_of_tools(),
                max_run_bytes=settings.max_run_bytes,
                public_url=settings.base_url,
                mail=settings.mail,
                form_seconds=settings.form_days * 86400,
                sweep_seconds=settings.sweep_seconds,
                checkpoint_seconds=settings.checkpoint_seconds,
                lease_seconds=settings.lease_seconds,
                release_seconds=min(settings.release_seconds, settings.shutdown_seconds),
                files=FileConfig(
                    folder=settings.file_folder,
                    storage=settings.file_storage,
                    secret=settings.secret(),
                    old_secrets=settings.old_secrets(),
                    api_url=f"{settings.base_url}/openapi/v1",
                    link_seconds=settings.files_access_timeout,
                    limits=settings.file_limits,
                    quota_bytes=settings.upload_quota_mb * 1024 * 1024,
                    unused_for=timedelta(hours=settings.file_unused_hours),
                    kept_for=timedelta(days=settings.file_keep_days) if settings.file_keep_days else None,
                ),
            )
        )
        try:
            yield
        finally:
            runs.shutdown()
    finally:
        store.close()


def _told(what: str, done: int, of: int) -> None:
    log.info("sealing", what=what, done=done, of=of)


def lifespan_of(settings: Settings, threads: Threads) -> Callable[[Any], contextlib.AbstractAsyncContextManager[Any]]:
    """The lifespan that connexion runs around the app."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
        from engine import runs

        sys.setswitchinterval(TURN)
        with resources(settings):
            end_runs_on_signal(runs.shutdown)
            # Not at once: importing the engine would hold up the first answers.
            asyncio.get_running_loop().call_later(WARM_AFTER, runs.warm)
            sweeping = asyncio.create_task(sweep_files())
            try:
                yield {}
            finally:
                sweeping.cancel()
                threads.close()

    return lifespan


async def sweep_files() -> None:
    """Delete the files whose time is over, soon after the start and then every hour."""
    from engine.files import service as files

    wait = FIRST_SWEEP
    while True:
        await asyncio.sleep(wait)
        wait = SWEEP_EVERY
        try:
            gone = await asyncio.to_thread(files.current().sweep)
        except Exception as error:  # the storage or the database may be away; the next sweep finds the rest
            log.warning("files_not_swept", exc_info=error)
        else:
            if gone:
                log.info("files_swept", count=gone)


def end_runs_on_signal(end: Callable[[], None]) -> None:
    """On a signal to stop, call ``end``, and then the handler that was there before. In a thread of its own, for those
    that are shared may all be waiting for something.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def begin() -> None:
        threading.Thread(target=end, name="end-runs").start()

    for number in SIGNALS:
        before = signal.getsignal(number)

        def handle(signum: int, frame: Any, before: Any = before) -> None:
            loop.call_soon_threadsafe(begin)
            if callable(before):
                before(signum, frame)

        signal.signal(number, handle)
