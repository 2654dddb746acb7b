"""Asking remote addresses what is there, on threads of its own: their servers belong to strangers and take their time,
while the threads of requests are everybody's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from concurrent import futures
from contextvars import ContextVar
from functools import partial
from threading import Semaphore

from engine.files.probe import Told, probe
from engine.network.address_guard import AddressGuard
from engine.running.threads import Threads
from store.refusal import Refusal

logger = logging.getLogger(__name__)

SECONDS = 10.0  # that one request waits for all its addresses; what was not told by then is not known
THREADS, EACH, WAITING = 32, 8, 64  # addresses asked at a time, of all callers and of one; that wait, of one
_ON_THE_SPOT = 4  # requests that wait on a thread of their own, of which the pages have eight

Answer = Told | ValueError  # what is there, or why it may not be asked
Answers = Mapping[str, Answer]
_Asked = dict[str, "futures.Future[Answer]"]

# What is known in this request of addresses. None: nobody begins the request again, so it waits on its thread.
KNOWN: ContextVar[Answers | None] = ContextVar("addresses_known", default=None)


class NotKnown(Exception):
    """A request needs answers of strangers first: whoever carries it out awaits `Asking.answers`, puts them into
    ``KNOWN``, and begins it again.
    """

    def __init__(self, owner: str, urls: Collection[str]) -> None:
        super().__init__("addresses have to be asked")
        self.owner, self.urls = owner, urls


class Asking:
    """The threads, and a share of them for each caller."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._threads = Threads(THREADS, 1.0, most=EACH, name="ask-address", daemon=True)
        self._on_the_spot = Semaphore(_ON_THE_SPOT)

    def ask(self, owner: str, urls: Collection[str]) -> Answers:
        """What is at these addresses. Raises `NotKnown`.

        Refusals: too_many_requests when too much of the owner's waits, service_unavailable.
        """
        known = KNOWN.get()
        if known or not urls:
            return known or {}
        if known is not None:
            raise NotKnown(owner, urls)
        if not self._on_the_spot.acquire(blocking=False):
            raise Refusal("service_unavailable", headers={"Retry-After": "5"})
        try:
            asked = self._begin(owner, urls)
            futures.wait(asked.values(), SECONDS)
            return _answers(asked)
        finally:
            self._on_the_spot.release()

    async def answers(self, asked: NotKnown) -> Answers:
        """The same, awaited. Refusals: too_many_requests."""
        begun = self._begin(asked.owner, asked.urls)
        await asyncio.wait([asyncio.wrap_future(one) for one in begun.values()], timeout=SECONDS)
        return _answers(begun)

    def _begin(self, owner: str, urls: Collection[str]) -> _Asked:
        if self._threads.waiting(owner) >= WAITING:
            told = "Many addresses of files that you named have not answered yet; wait for them first."
            hint = "An address that ends in the file's extension is not asked what it is."
            raise Refusal("too_many_requests", told, hint=hint, headers={"Retry-After": "10"})
        return {url: self._threads.call(owner, partial(_answer, url, self._guard, owner)) for url in urls}


def _answer(url: str, guard: AddressGuard, owner: str) -> Answer:
    try:
        return probe(url, guard, owner)
    except ValueError as error:
        return error
    except Exception:
        logger.exception("An address could not be asked what is there")
        return Told()


def _answers(asked: _Asked) -> Answers:
    for future in asked.values():
        future.cancel()  # one that has not begun: whoever waited has given up
    return {url: one.result() if one.done() and not one.cancelled() else Told() for url, one in asked.items()}
