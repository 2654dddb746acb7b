"""Where plain (synchronous) code runs: pools of threads beside the event loop, shared out by caller.

A thread may have to wait: for the database, for files that are kept elsewhere. So a free one goes to the caller who has
fewest (`engine.running.shares`), and a quarter is never one caller's: what all of one caller's requests wait for keeps
nobody else from being served.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from starlette.types import Scope

from engine.running.threads import Threads as Pool
from server.address import Networks, of_environ
from server.caller import owner_of
from store import networks
from store.patience import REQUEST_POOL

IDLE_SECONDS = 60.0  # that a thread is kept, with its connection to the database


def _pool(size: int, name: str) -> Pool:
    return Pool(size, IDLE_SECONDS, most=size - size // 4, name=name, daemon=True)


class Threads:
    """At most ``size`` threads for handlers, started as needed. In: the proxies whose word on addresses is believed."""

    def __init__(self, size: int, trusted: Networks = ()) -> None:
        self._pool, self._trusted = _pool(size, REQUEST_POOL), trusted

    async def run(self, request: Scope, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """``function(**arguments)`` in a thread, in the name of who sent the request, with this task's context (request
        id, connexion's request); its exception is raised here.
        """
        call = partial(contextvars.copy_context().run, function, **arguments)
        return await asyncio.wrap_future(self._pool.call(owner_of(request, self._trusted), call))

    def close(self) -> None:
        """No new work; what runs may end on its own."""
        self._pool.close()


class PageThreads(Executor):
    """The same for the pages, which are WSGI: what is submitted has the environ as its first argument."""

    def __init__(self, size: int, trusted: Networks = ()) -> None:
        self._pool, self._trusted = _pool(size, "page"), trusted

    def submit[**P, R](self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call it in a thread, in the name of the address that the request came from."""
        environ: Mapping[str, Any] = args[0]  # type: ignore[assignment]
        owner = networks.bucket(of_environ(environ, self._trusted))
        return self._pool.call(owner, partial(function, *args, **kwargs))
