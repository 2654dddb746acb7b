"""Every operation, in every situation, for every caller: the table is ``callers.txt``."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import contract
import store
import store.accounts
import store.apps
import store.cookies
import store.device
import store.runs
import store.session_list
import store.sessions
import store.workspaces
from server.security import COOKIE
from store.accounts import Account
from tests.engine.forms import review
from tests.engine.graphs import chat_document, document, edge, end, node
from tests.journeys.conftest import Live
from tests.journeys.events import read
from tests.judge import fair, wrong_with
from tests.waiting import HANG

STATUS = {
    "authorization_pending": 400, "app_unavailable": 400, "unauthorized": 401, "invalid_token": 401,
    "unsupported_token_type": 403, "access_mode_denied": 403, "service_api_disabled": 403, "csrf_failed": 403,
    "not_found": 404, "already_resolved": 409, "human_input_form_submitted": 412,
}  # fmt: skip
MARKS = {
    "anon": "unauthorized", "dead": "invalid_token", "kind": "unsupported_token_type", "mode": "access_mode_denied",
    "off": "service_api_disabled", "csrf": "csrf_failed", "none": "not_found", "wait": "authorization_pending",
    "used": "already_resolved", "new": "app_unavailable", "done": "human_input_form_submitted",
}  # fmt: skip
TABLE = [
    re.split(r"\s{2,}", line.strip())
    for line in (Path(__file__).parent / "callers.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
CALLERS, ROWS = TABLE[0][2:], TABLE[1:]
OPERATIONS = {operation["operationId"]: (method, path) for path, method, operation in contract.operations()}
QUERIES = {
    "listApps": "?workspace_id={workspace_id}",
    "lookupDeviceCode": "?user_code={user_code}",
    "downloadFile": "?sign={sign}",
}
BODIES = {
    "runApp": {"inputs": {}},
    "createDeviceCode": {"client_id": "difyctl", "device_label": "table"},
    "pollDeviceToken": {"client_id": "difyctl", "device_code": "{device_code}"},
    "approveDevice": {"user_code": "{user_code}"},
    "denyDevice": {"user_code": "{user_code}"},
    "submitHumanInputForm": {"action": "approve", "inputs": {"comment": "fine"}},
}
FILES = {"uploadFile": {"file": ("bees.txt", b"Bees dance.", "text/plain")}}
GUEST, ISSUER, OTHER_ISSUER = "guest@partner.example", "https://login.partner.example", "https://login.other.example"
QUICK = document([node("start", "start", variables=[]), end()], [edge("start", "end")])
SLOW = chat_document(delay_ms=500, chunks=10_000)  # goes on for longer than any test
# One for all calls, each on a connection of its own: making a client takes longer than most calls.
CLIENT = httpx.Client(timeout=HANG, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Ground:
    """People, and the values of a path, a query or a body for each situation of the table."""

    live: Live
    people: dict[str, Account]
    workspace_id: str
    situations: dict[str, Callable[[], dict[str, str]]] = field(default_factory=dict)

    def headers(self, caller: str) -> list[dict[str, str]]:
        """What the caller sends, once for each person the name stands for; tokens are fresh."""
        if caller in ("page", "forged"):
            cookie = f"{COOKIE}={store.cookies.open(self.people['owner'].id)}"
            return [{"Cookie": cookie, "Origin": self.live.base if caller == "page" else "https://evil.example"}]
        if caller == "nobody":
            return [{}]
        names = {"dead": ("unknown", "expired", "revoked", "banned"), "stranger": ("stranger", "removed")}
        return [{"Authorization": f"Bearer {self.token(name)}"} for name in names.get(caller, (caller,))]

    def token(self, name: str) -> str:
        """A fresh token of a person, or one that is good for nothing."""
        if name == "unknown":
            return "dfoa_" + "A" * 43
        if name in ("guest", "impostor"):
            return mint(None, ISSUER if name == "guest" else OTHER_ISSUER)[0]
        store.accounts.set_status(self.people["banned"].id, "active")
        token, session_id = mint(self.people.get(name, self.people["owner"]), days=-1 if name == "expired" else 1)
        if name == "revoked":
            store.session_list.revoke_for_account(self.people["owner"].id, session_id)
        if name == "banned":
            store.accounts.set_status(self.people["banned"].id, "banned")
        return token


def mint(account: Account | None, issuer: str | None = None, days: float = 1) -> tuple[str, str]:
    """A token and its session's id."""
    token, session = store.sessions.mint(
        account_id=account.id if account else None, email=account.email if account else GUEST, issuer=issuer,
        client_id="difyspec", device_label=str(uuid.uuid4()), ttl=timedelta(days=days),
    )  # fmt: skip
    return token, session.id


@pytest.fixture(scope="module")
def ground(live: Live) -> Iterator[Ground]:
    store.open(live.environment["DATABASE_URL"])
    try:
        yield _build(live)
    finally:
        store.close()


def _build(live: Live) -> Ground:
    names = ("owner", "member", "removed", "stranger", "banned")
    people = {name: store.accounts.create(f"{name}@table.example", name.title()) for name in names}
    owner = people["owner"].id
    home, archive = store.workspaces.create("Home", owner), store.workspaces.create("Archive", owner)
    store.workspaces.create("Away", people["stranger"].id)
    for name in ("member", "removed"):
        store.workspaces.add_member(home.id, people[name].id, "normal")
    store.workspaces.add_member(archive.id, people["member"].id, "normal")
    store.workspaces.remove_member(home.id, people["removed"].id)
    ground = Ground(live, people, home.id)
    apps = {
        "a public app": _app(home.id, owner, "public"),
        "an sso_verified app": _app(home.id, owner, "sso_verified"),
        "a private_all app": _app(home.id, owner, "private_all"),
        "a private app": _app(home.id, owner, "private"),
        "a shared private app": _app(home.id, owner, "private", allowed=("member@table.example",)),
        "an app switched off": _app(home.id, owner, "public", enable_api=False),
        "an unpublished app": _app(home.id, owner, "public", publish=False),
        "an archived app": _app(archive.id, owner, "public"),
    }
    store.workspaces.set_status(archive.id, "archive")
    asking = _app(home.id, owner, "public", definition=review())
    nothing = dict.fromkeys(
        ("app_id", "task_id", "session_id", "workspace_id", "form_token", "file_id"), str(uuid.uuid4())
    )
    mine, theirs = (_run(ground, apps["a public app"], who) for who in ("owner", "guest"))
    file, foreign = (_upload(ground, apps["a public app"], who) for who in ("owner", "guest"))
    ground.situations = {
        **{name: lambda app_id=app_id: {**nothing, "app_id": app_id} for name, app_id in apps.items()},
        "the server": lambda: {},
        "the caller": lambda: {},
        "nothing": lambda: nothing,
        "the workspace": lambda: {"workspace_id": home.id},
        "an archived workspace": lambda: {"workspace_id": archive.id},
        "the owner's run": lambda: {"app_id": apps["a public app"], "task_id": mine},
        "the guest's run": lambda: {"app_id": apps["a public app"], "task_id": theirs},
        "a run of another app": lambda: {"app_id": apps["an sso_verified app"], "task_id": mine},
        "the owner's file": lambda: {"app_id": apps["a public app"], **file},
        "the guest's file": lambda: {"app_id": apps["a public app"], **foreign},
        "a file of another app": lambda: {"app_id": apps["an sso_verified app"], **file},
        "the owner's link": lambda: file,
        "a link to another file": lambda: {**file, "file_id": foreign["file_id"]},
        "an invented link": lambda: {**file, "sign": "aSkWkw.invented"},
        "a form": lambda: {"app_id": asking, "form_token": _form(ground, asking)},
        "a form of another app": lambda: {
            **nothing,
            "app_id": apps["a public app"],
            "form_token": _form(ground, asking),
        },
        "an answered form": lambda: {"app_id": asking, "form_token": _answered(ground, asking)},
        "the owner's session": lambda: {"session_id": mint(people["owner"])[1]},
        "the guest's session": lambda: {"session_id": mint(None, ISSUER)[1]},
        "a waiting device": lambda: _device(None),
        "an approved device": lambda: _device(owner),
        "an unknown device": lambda: {"user_code": "BCDF-GHJK"},
    }
    return ground


def _app(
    workspace_id: str, owner: str, mode: str, *, allowed: tuple[str, ...] = (), publish: bool = True, **more: Any
) -> str:
    definition = more.pop("definition", QUICK)
    made = store.apps.create(
        workspace_id, owner, name=mode, mode=definition["mode"], definition=definition, source="-", **more
    )
    store.apps.set_access(made.id, mode, allowed)
    if publish:
        store.apps.publish(made.id)
    return made.id


def _run(ground: Ground, app_id: str, who: str) -> str:
    answer = CLIENT.post(f"{ground.live.api}/apps/{app_id}/run", json={"inputs": {}}, headers=ground.headers(who)[0])
    return re.search(r'"task_id":"([^"]+)"', answer.text)[1]  # type: ignore[index]


def _form(ground: Ground, app_id: str) -> str:
    answer = CLIENT.post(
        f"{ground.live.api}/apps/{app_id}/run", json={"inputs": {}}, headers=ground.headers("owner")[0]
    )
    return re.search(r'"form_token":"([^"]+)"', answer.text)[1]  # type: ignore[index]


def _answered(ground: Ground, app_id: str) -> str:
    token = _form(ground, app_id)
    url = f"{ground.live.api}/apps/{app_id}/form/human_input/{token}"
    fair(CLIENT.post(url, json=BODIES["submitHumanInputForm"], headers=ground.headers("owner")[0]))
    return token


def _upload(ground: Ground, app_id: str, who: str) -> dict[str, str]:
    url = f"{ground.live.api}/apps/{app_id}/files/upload"
    record = fair(CLIENT.post(url, files=FILES["uploadFile"], headers=ground.headers(who)[0])).json()
    return {"file_id": record["id"], "sign": record["source_url"].partition("?sign=")[2]}


def _device(approver: str | None) -> dict[str, str]:
    started = store.device.start("difyctl", "table", "127.0.0.1")
    if approver:
        store.device.approve(started.user_code, approver)
    return {"device_code": started.device_code, "user_code": started.user_code}


def _ask(ground: Ground, operation: str, situation: str, headers: dict[str, str]) -> str:
    """One call; its outcome is the mark of the table, or whatever came instead."""
    values = ground.situations[situation]()
    method, path = OPERATIONS[operation]
    body = {name: value.format(**values) if isinstance(value, str) else value for name, value in _body(operation)}
    url = ground.live.api + (path + QUERIES.get(operation, "")).format(**values)
    options: dict[str, Any] = {"json": body} if operation in BODIES else {}
    options |= {"files": FILES[operation]} if operation in FILES else {}
    answer = fair(CLIENT.request(method, url, headers=headers, **options))
    if answer.is_success:
        return "ok"
    told = answer.json()
    code = told.get("error") or told["code"]
    mark = next((mark for mark, name in MARKS.items() if name == code), code)
    return mark if STATUS.get(code) == answer.status_code else f"{answer.status_code} {code}"


def _body(operation: str) -> Any:
    return BODIES.get(operation, {}).items()


def test_every_operation_of_the_contract_is_in_the_table() -> None:
    assert {row[0] for row in ROWS} == set(OPERATIONS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_each_caller_gets_the_answer_of_the_table(ground: Ground, row: list[str]) -> None:
    """Each answer is judged by the contract too: status, code, headers, body, events."""
    operation, situation, *expected = row
    outcomes = {
        caller: {_ask(ground, operation, situation, headers) for headers in ground.headers(caller)}
        for caller in CALLERS
    }
    assert outcomes == {caller: {mark} for caller, mark in zip(CALLERS, expected, strict=True)}


@pytest.mark.parametrize(
    "path", ["/apps/{}/describe", "/account/sessions/{}", "/workspaces/{}", "/apps/{}/tasks/{}/stop"]
)
@pytest.mark.parametrize("malformed", ["1", "not-a-uuid", "..%2f..", "%00", "0" * 4000])
def test_a_malformed_id_is_not_found(ground: Ground, path: str, malformed: str) -> None:
    method = next(m for m, p in OPERATIONS.values() if re.sub(r"\{[^}]+\}", "{}", p) == path)
    url = ground.live.api + path.replace("{}", malformed)
    answer = CLIENT.request(method, url, headers=ground.headers("owner")[0])
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_nobody_else_stops_a_run(ground: Ground) -> None:
    app_id = _app(ground.workspace_id, ground.people["owner"].id, "public", definition=SLOW)
    base, mine = f"{ground.live.api}/apps/{app_id}", ground.headers("owner")[0]
    with CLIENT.stream("POST", f"{base}/run", json={"inputs": {}, "query": "hi"}, headers=mine) as stream:
        first = read(stream, stop_after=1)[0].data
    stop = f"{base}/tasks/{first['task_id']}/stop"
    for caller in ("nobody", "member", "stranger", "guest", "impostor"):
        for headers in ground.headers(caller):
            CLIENT.post(stop, headers=headers)
    found = store.runs.for_worker(first["workflow_run_id"])
    assert found is not None
    assert not found.is_over
    fair(CLIENT.post(stop, headers=mine))
    with CLIENT.stream("GET", f"{base}/tasks/{first['task_id']}/events", headers=mine) as stream:
        assert read(stream)[-1].data["data"]["status"] == "stopped"


@pytest.mark.parametrize("how", ["token", "cookie", "all cookies"])
def test_whoever_is_turned_away_reads_no_further_and_the_run_goes_on(ground: Ground, how: str) -> None:
    app_id = _app(ground.workspace_id, ground.people["owner"].id, "public", definition=SLOW)
    base, owner = f"{ground.live.api}/apps/{app_id}", ground.people["owner"]
    token, session_id = mint(owner)
    cookie = store.cookies.open(owner.id)
    mine = {"Authorization": f"Bearer {token}"}
    if how != "token":
        mine = {"Cookie": f"difyspec_session={cookie}", "X-CSRF-Token": store.cookies.csrf_token(cookie)}
    with CLIENT.stream("POST", f"{base}/run", json={"inputs": {}, "query": "hi"}, headers=mine) as stream:
        lines = stream.iter_lines()
        first = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        if how == "token":
            store.session_list.revoke_for_account(owner.id, session_id)
        elif how == "cookie":
            store.cookies.close(cookie)
        else:
            store.cookies.close_all(owner.id)
        rest = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert (rest[-1]["event"], rest[-1]["code"]) == ("error", "invalid_token")
    assert wrong_with(rest[-1]) == []
    found = store.runs.for_worker(first["workflow_run_id"])
    assert found is not None
    assert not found.is_over
    fair(CLIENT.post(f"{base}/tasks/{first['task_id']}/stop", headers=ground.headers("owner")[0]))


def test_lists_never_tell_totals_of_others(ground: Ground) -> None:
    """The stranger's own workspace is empty, whatever else the server holds."""
    (mine,) = store.workspaces.of(ground.people["stranger"].id)
    answer = CLIENT.get(f"{ground.live.api}/apps?workspace_id={mine.id}", headers=ground.headers("stranger")[0])
    assert (answer.json()["total"], answer.json()["data"]) == (0, [])
