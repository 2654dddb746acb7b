"""Reading event streams with httpx-sse, a parser that is not ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource

from tests.journeys.conftest import Live, Person
from tests.judge import wrong_with


@dataclass(frozen=True)
class Event:
    """One event with the id the server gave it."""

    id: str
    data: dict[str, Any]


def read(response: httpx.Response, stop_after: int | None = None) -> list[Event]:
    """The events with data, in order, each fitting its schema; ``stop_after`` drops the connection after so many."""
    found: list[Event] = []
    for one in EventSource(response).iter_sse():
        if one.data:
            found.append(Event(one.id, one.json()))
            assert wrong_with(found[-1].data) == [], "against the contract"
            if stop_after is not None and len(found) >= stop_after:
                break
    return found


def run(
    live: Live,
    person: Person,
    app_id: str,
    body: dict[str, Any],
    stop_after: int | None = None,
    key: str | None = None,
) -> list[Event]:
    """Start a run and read its stream; ``key`` is the request's ``Idempotency-Key``."""
    headers = person.headers | ({"Idempotency-Key": key} if key else {})
    with httpx.stream("POST", f"{live.api}/apps/{app_id}/run", json=body, headers=headers) as response:
        if response.status_code != 200:
            response.read()
            raise AssertionError(response.text)
        return read(response, stop_after)


def attach(live: Live, person: Person, app_id: str, task_id: str, last: str | None = None, **query: str) -> list[Event]:
    """Attach to a run again, after the event ``last``."""
    headers = person.headers | ({"Last-Event-ID": last} if last else {})
    with httpx.stream(
        "GET", f"{live.api}/apps/{app_id}/tasks/{task_id}/events", headers=headers, params=query
    ) as response:
        response.raise_for_status()
        return read(response)
