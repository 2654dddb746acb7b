"""Two people who must not see each other's apps, sessions and runs: every operation, every caller."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.journeys.conftest import ROOT, Live, Person
from tests.journeys.events import run

EXAMPLE = next(iter(sorted(Path(ROOT / "examples").glob("*ask*.yml"))), None)


@pytest.fixture(scope="module")
def owned(live: Live) -> dict[str, str]:
    """What Ada has: an app, a run of it, a session."""
    assert EXAMPLE is not None
    app_id = live.import_app(EXAMPLE, live.ada)
    events = run(live, live.ada, app_id, {"inputs": {}, "query": "hello"})
    sessions = httpx.get(live.api + "/account/sessions", headers=live.ada.headers).json()["data"]
    return {
        "app_id": app_id,
        "task_id": events[0].data["task_id"],
        "run_id": next(e.data["workflow_run_id"] for e in events if "workflow_run_id" in e.data),
        "session_id": sessions[0]["id"],
        "workspace_id": live.ada.workspace_id,
    }


CALLS = [
    ("GET", "/workspaces/{workspace_id}", None),
    ("GET", "/apps?workspace_id={workspace_id}", None),
    ("GET", "/apps/{app_id}/describe", None),
    ("POST", "/apps/{app_id}/run", {"inputs": {}, "query": "hi"}),
    ("GET", "/apps/{app_id}/tasks/{task_id}/events", None),
    ("GET", "/apps/{app_id}/tasks/{run_id}/events?last_event_id=1", None),
    ("POST", "/apps/{app_id}/tasks/{task_id}/stop", None),
    ("DELETE", "/account/sessions/{session_id}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_stranger_is_told_that_nothing_is_there(
    live: Live, owned: dict[str, str], method: str, path: str, body: object
) -> None:
    answer = httpx.request(method, live.api + path.format(**owned), json=body, headers=live.bob.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_nobody_without_a_token_gets_in(
    live: Live, owned: dict[str, str], method: str, path: str, body: object
) -> None:
    answer = httpx.request(method, live.api + path.format(**owned), json=body)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_external_caller_reaches_only_what_is_permitted(live: Live, owned: dict[str, str]) -> None:
    refused = httpx.get(live.api + "/workspaces", headers=live.external)
    assert (refused.status_code, refused.json()["code"]) == (403, "unsupported_token_type")
    listed = httpx.get(live.api + "/permitted-external-apps", headers=live.external).raise_for_status().json()
    assert owned["app_id"] not in [row["id"] for row in listed["data"]]
    hidden = httpx.post(
        live.api + f"/apps/{owned['app_id']}/run", headers=live.external, json={"inputs": {}, "query": "hi"}
    )
    assert hidden.status_code in (403, 404)


def test_lists_never_tell_totals_of_others(live: Live, owned: dict[str, str]) -> None:
    def total(person: Person) -> int:
        answer = httpx.get(live.api + "/apps", params={"workspace_id": person.workspace_id}, headers=person.headers)
        return int(answer.json()["total"])

    assert total(live.ada) >= 1
    assert total(live.bob) == 0
