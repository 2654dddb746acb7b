"""Ending a server while many runs are each at another event, and what has become of them afterwards."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
from httpx_sse import EventSource

from tests.journeys.events import Event
from tests.recovery.site import Server, Site
from tests.recovery.stories import check_whole
from tests.waiting import HANG, until

_STEP = 3  # events of a run between the start of the next


class Reader:
    """A client that reads a run's stream until it is cut."""

    def __init__(self, site: Site, server: Server, app_id: str, body: dict[str, Any]) -> None:
        self.events: list[Event] = []
        self._site, self._server, self._app_id, self._body = site, server, app_id, body
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        # The server dies in the middle of an answer: what came before it counts.
        with suppress(httpx.HTTPError), self._site.stream(self._server, self._app_id, self._body) as response:
            for one in EventSource(response).iter_sse():
                if one.data:
                    self.events.append(Event(one.id, one.json()))

    def wait_for(self, count: int) -> None:
        """Wait until so many events came, or the stream is over."""
        until(lambda: len(self.events) >= count or not self._thread.is_alive(), "events of the run")

    def join(self) -> list[Event]:
        """The events that came."""
        self._thread.join(HANG)
        assert not self._thread.is_alive()
        return self.events


def cut_down(
    site: Site, server: Server, app_id: str, body: dict[str, Any], number: signal.Signals, until: int
) -> list[list[Event]]:
    """Start runs one after another until the first has told ``until`` events; end the server, start it again.

    Reads the rest of each run and checks each as a whole. Out: the runs' events.
    """
    readers: list[Reader] = []
    while not readers or len(readers[0].events) < until:
        readers.append(Reader(site, server, app_id, body))
        readers[-1].wait_for(_STEP)
    server.end(number)
    heads = [reader.join() for reader in readers]
    server.start()
    return read_on(site, server, app_id, heads)


def read_on(site: Site, server: Server, app_id: str, heads: list[list[Event]]) -> list[list[Event]]:
    """Read the rest of runs whose first events were seen, all at once, and check each as a whole. Out: their events."""

    def rest(head: list[Event]) -> list[Event]:
        whole = site.whole(server, app_id, head)
        check_whole(whole)
        assert site.attach(server, app_id, head[0].data["task_id"], "0") == whole, "what is read again is what was read"
        return whole

    with ThreadPoolExecutor(len(heads)) as pool:
        return list(pool.map(rest, heads))
