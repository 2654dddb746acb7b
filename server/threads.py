"""Where plain (synchronous) handlers run: a pool of threads beside the event loop.

Cheaper than a limiter-guarded hop per call, and the context (request id, connexion's request) goes along.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from store.patience import REQUEST_POOL


class Threads:
    """A pool of at most ``size`` threads, started as needed."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=REQUEST_POOL)

    async def run(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """``function(**arguments)`` in a thread, with this task's context; its exception is raised here."""
        call = partial(contextvars.copy_context().run, function, **arguments)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """No new work; what runs may end on its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)
