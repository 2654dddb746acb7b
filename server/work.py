"""Carry out runs in this process, without serving HTTP: what `difyspec worker` does."""

from __future__ import annotations

import signal
import sys
import threading

from engine import runs
from server import logs
from server.lifespan import SIGNALS, resources
from server.settings import Settings


def work(settings: Settings) -> None:
    """Take up what the servers on the same database leave, or lose, until told to stop; then let go of it as a server
    does.
    """
    logs.configure(settings.log_level, settings.log_format)
    told = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: told.set())
    with resources(settings):
        runs.warm()
        print(
            f"difyspec: carrying out up to {settings.max_concurrent_runs} runs at a time", file=sys.stderr, flush=True
        )
        told.wait()
