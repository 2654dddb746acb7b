"""Access that is taken away while a stream is open: the stream ends, quiet or not, and nothing more is told.

The ticks of the process are switched off: what this process does must be told without one (`taken here`), what another
one did is found by one that is handed in (`taken elsewhere`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

import store.clock
import store.cookies
import store.runs
from engine import runs, watch
from engine.forms import answering
from server.app import App, create_app
from server.lifespan import resources
from store import accounts, app_changes, db, revocations, session_list, sql, workspaces
from store.accounts import Account
from store.caller import Caller
from tests.engine.forms import review
from tests.engine.graphs import chat_document
from tests.judge import BASE, fair
from tests.open_stream import OpenStream, opened
from tests.server.conftest import ORIGIN, settings_in
from tests.world import PASSWORD, caller_of, make_app, mint_external, mint_for


@dataclass
class Reader:
    """Somebody who reads a stream by a token or a page, in a workspace and of an app that are nobody else's."""

    server: App
    account: Account
    workspace_id: str
    app_id: str
    token: str = ""
    cookie: str = ""
    path: str = ""
    form: str = ""

    @property
    def headers(self) -> dict[str, str]:
        if self.cookie:
            return {"cookie": f"difyspec_session={self.cookie}", "origin": ORIGIN}
        return {"authorization": f"Bearer {self.token}"}

    @property
    def caller(self) -> Caller:
        return caller_of(self.token)

    async def ask(self, method: str, path: str) -> httpx.Response:
        """A request of the reader's."""
        transport = httpx.ASGITransport(self.server)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return fair(await client.request(method, BASE + path, headers=self.headers))

    async def stream(self) -> OpenStream:
        """An open stream of a run that waits for a person."""
        run = OpenStream(self.server, "POST", f"/apps/{self.app_id}/run", self.headers, {"inputs": {}})
        await run.ended()
        assert run.status == 200, run.text
        self.form = next(one["data"]["form_token"] for one in run.events if one["event"] == "human_input_required")
        self.path = f"/apps/{self.app_id}/tasks/{run.events[0]['task_id']}/events?continue_on_pause=true"
        found = OpenStream(self.server, "GET", self.path, self.headers)
        return await found.until("workflow_paused")

    def answer(self) -> None:
        """Somebody answers the form: the run goes on, and tells of it."""
        answering.submit(self.form, {"action": "approve", "inputs": {"comment": "secret words"}}, by="test")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    settings = settings_in(tmp_path_factory.mktemp("lost"), rate_limits=False, sweep_seconds=3600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "_TICKS_TO_ACCESS", 10**9)
        with resources(settings):
            # No ping either: what ends a stream is that its reader was woken.
            object.__setattr__(runs.machine().config, "ping_seconds", 86400.0)
            yield create_app(settings, with_pages=False)


_made = iter(range(1000))


@pytest.fixture
def reader(server: App) -> Reader:
    """A member of another's workspace, with a token, and an app that all members may run."""
    number = next(_made)
    owner = accounts.create(f"owner{number}@example.com", "Owner")
    account = accounts.create(f"reader{number}@example.com", "Reader", PASSWORD)
    workspace = workspaces.create("Theirs", owner.id)
    workspaces.add_member(workspace.id, account.id, "normal")
    app = make_app(workspace.id, owner.id, "Asking", definition_of=review())
    return Reader(server, account, workspace.id, app.id, mint_for(account))


def by_page(one: Reader) -> None:
    """Read by a page."""
    one.cookie = store.cookies.open(one.account.id)


def as_external(one: Reader) -> None:
    """Read as an external subject."""
    app_changes.set_access(one.app_id, "public")
    one.token = mint_external(f"guest{one.app_id}@partner.example")


def as_listed(one: Reader) -> None:
    """Read an app that is open to listed members."""
    app_changes.set_access(one.app_id, "private", [one.account.email])


def as_member(_: Reader) -> None:
    """Read as a member by a token."""


Act = Callable[[Reader], object]
TAKEN_HERE: dict[str, tuple[Act, Act, str]] = {
    "the session is ended": (
        as_member, lambda r: session_list.revoke_for_account(r.account.id, r.caller.session_id), "invalid_token"),
    "all sessions are ended": (as_member, lambda r: session_list.revoke_all(r.account.id), "invalid_token"),
    "the device signs in again": (as_member, lambda r: mint_for(r.account), "invalid_token"),
    "the account is banned": (as_member, lambda r: accounts.set_status(r.account.id, "banned"), "invalid_token"),
    "the member is removed": (
        as_member, lambda r: workspaces.remove_member(r.workspace_id, r.account.id), "not_found"),
    "the workspace is archived": (as_member, lambda r: workspaces.set_status(r.workspace_id, "archive"), "not_found"),
    "the app is deleted": (as_member, lambda r: app_changes.delete(r.app_id), "not_found"),
    "the app is made private": (as_member, lambda r: app_changes.set_access(r.app_id, "private"), "access_mode_denied"),
    "the service API is switched off": (
        as_member, lambda r: app_changes.set_api(r.app_id, False), "service_api_disabled"),
    "a member is listed no more": (
        as_listed, lambda r: app_changes.set_access(r.app_id, "private", ["else@example.com"]), "access_mode_denied"),
    "the app is closed to externals": (as_external, lambda r: app_changes.set_access(r.app_id, "private_all"), ""),
    "the page is signed out": (by_page, lambda r: store.cookies.close(r.cookie), "invalid_token"),
    "the password of a page is changed": (
        by_page, lambda r: accounts.set_password(r.account.id, "another horse"), "invalid_token"),
    "the account of a page is banned": (
        by_page, lambda r: accounts.set_status(r.account.id, "banned"), "invalid_token"),
    "the app of a page is made private": (
        by_page, lambda r: app_changes.set_access(r.app_id, "private"), "access_mode_denied"),
}  # fmt: skip


async def ends(one: Reader, stream: OpenStream, code: str) -> None:
    """The stream ends as a new request of its reader is refused, and what the run tells afterwards is not in it."""
    await stream.ended()
    last = stream.events[-1]
    refused = (await one.ask("GET", one.path)).json()
    assert (last["event"], last["code"], last["status"]) == ("error", code or refused["code"], last["status"])
    assert last["status"] == refused["status"]
    assert last["code"] == refused["code"] or (one.cookie and refused["code"] == "unauthorized")
    assert stream.text.endswith("\n\n")
    assert "\nid:" not in stream.text.rpartition('"workflow_paused"')[2], "an event without an id is none of the run's"


@pytest.mark.parametrize("what", TAKEN_HERE)
def test_a_quiet_stream_ends_at_once_when_this_process_takes_its_access(reader: Reader, what: str) -> None:
    prepare, take, code = TAKEN_HERE[what]
    prepare(reader)

    async def story() -> None:
        stream = await reader.stream()
        await asyncio.to_thread(take, reader)
        await ends(reader, stream, code)

    asyncio.run(story())


def test_a_quiet_stream_ends_at_once_when_its_own_token_is_revoked_over_http(reader: Reader) -> None:
    async def story() -> None:
        stream = await reader.stream()
        assert (await reader.ask("DELETE", "/account/sessions/self")).status_code == 200
        await ends(reader, stream, "invalid_token")

    asyncio.run(story())


@db.writes
def write(statement: str, *values: object) -> None:
    """Change the database as another process does: this one is told nothing."""
    assert sql.change(statement, *values) == 1


TAKEN_ELSEWHERE: dict[str, tuple[Act, Act, str]] = {
    "a session": (
        as_member, lambda r: write("UPDATE sessions SET revoked_at = 1 WHERE id = ?", r.caller.session_id),
        "invalid_token"),
    "an account": (
        as_member, lambda r: write("UPDATE accounts SET status = 'banned' WHERE id = ?", r.account.id),
        "invalid_token"),
    "a page": (
        by_page, lambda r: write("DELETE FROM cookies WHERE cookie_hash = ?", sql.sha256(r.cookie)), "invalid_token"),
    "a membership": (
        as_member, lambda r: write("DELETE FROM memberships WHERE account_id = ?", r.account.id), "not_found"),
    "a workspace": (
        as_member, lambda r: write("UPDATE workspaces SET status = 'archive' WHERE id = ?", r.workspace_id),
        "not_found"),
    "an app": (as_member, lambda r: write("UPDATE apps SET status = 'deleted' WHERE id = ?", r.app_id), "not_found"),
    "an access mode": (
        as_member, lambda r: write("UPDATE apps SET access_mode = 'private' WHERE id = ?", r.app_id),
        "access_mode_denied"),
    "a grant": (
        as_listed, lambda r: write("DELETE FROM app_grants WHERE app_id = ?", r.app_id), "access_mode_denied"),
    "an external's app": (
        as_external, lambda r: write("UPDATE apps SET access_mode = 'private' WHERE id = ?", r.app_id), ""),
    "a service API": (
        as_member, lambda r: write("UPDATE apps SET enable_api = ? WHERE id = ?", False, r.app_id),
        "service_api_disabled"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAKEN_ELSEWHERE)
def test_a_tick_ends_the_streams_whose_access_another_process_took(
    reader: Reader, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, take, code = TAKEN_ELSEWHERE[what]
    prepare(reader)

    async def story() -> None:
        stream = await reader.stream()
        monkeypatch.setattr(revocations, "tell", lambda: None)
        look = runs.machine().watch.look_at_access
        await asyncio.to_thread(look)
        assert not stream.task.done(), "what is there stays"
        await asyncio.to_thread(take, reader)
        store.sessions.forget()  # the requests below are about the rule, not about the memory of tokens
        await asyncio.to_thread(look)
        await ends(reader, stream, code)

    asyncio.run(story())


def test_a_stream_ends_when_its_token_expires(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(store.clock.Clock):
        def now(self) -> Any:
            return super().now() + timedelta(days=15)

    async def story() -> None:
        stream = await reader.stream()
        monkeypatch.setattr(store.clock._Installed, "clock", Later())
        await asyncio.to_thread(runs.machine().watch.look_at_access)
        await ends(reader, stream, "invalid_token")

    asyncio.run(story())


def test_nothing_of_a_run_is_told_to_a_reader_who_lost_it_and_the_run_goes_on(reader: Reader) -> None:
    async def story() -> None:
        stream = await reader.stream()
        run = store.runs.visible(reader.caller, reader.app_id, reader.path.split("/")[4])
        assert run is not None
        await asyncio.to_thread(app_changes.set_access, reader.app_id, "private")
        await stream.ended()
        told = stream.text
        await asyncio.to_thread(reader.answer)
        async for _ in runs.follow(run.id, through_pauses=True):
            pass
        assert stream.text == told
        ended = store.runs.for_worker(run.id)
        assert ended is not None
        assert ended.status == "succeeded"

    asyncio.run(story())


def test_what_is_done_to_others_ends_no_stream(reader: Reader) -> None:
    async def story() -> None:
        stream = await reader.stream()
        others = mint_for(reader.account, "phone")
        session_list.revoke_for_account(reader.account.id, caller_of(others).session_id)
        workspaces.set_role(reader.workspace_id, reader.account.id, "editor")
        app_changes.set_access(reader.app_id, "private_all")
        app_changes.set_access(reader.app_id, "private", [reader.account.email])
        await asyncio.to_thread(runs.machine().watch.look_at_access)
        await asyncio.to_thread(reader.answer)
        await stream.until("workflow_finished")
        assert all(one["event"] != "error" for one in stream.events)

    asyncio.run(story())


def test_the_stream_that_began_a_run_ends_too_while_the_run_works(reader: Reader) -> None:
    document = chat_document(delay_ms=600_000)
    slow = make_app(reader.workspace_id, reader.account.id, "Slow", mode=document["mode"], definition_of=document)

    async def story() -> None:
        body = {"inputs": {}, "query": "hello"}
        async with opened(reader.server, "POST", f"/apps/{slow.id}/run", reader.token, body) as stream:
            await stream.until("node_started")
            run = store.runs.visible(reader.caller, slow.id, stream.events[0]["task_id"])
            assert run is not None
            await asyncio.to_thread(workspaces.remove_member, reader.workspace_id, reader.account.id)
            await stream.ended()
            assert (stream.events[-1]["event"], stream.events[-1]["code"]) == ("error", "not_found")
        assert run.id in runs.machine().held(), "the run goes on"
        await asyncio.to_thread(runs.stop, run)
        assert not runs.machine().watch._admitted

    asyncio.run(story())


def test_listeners_are_told_after_the_commit() -> None:
    heard: list[str] = []

    def listener() -> None:
        heard.append("told")

    @revocations.told
    def take() -> str:
        assert heard == []
        return "taken"

    revocations.listen(listener)
    try:
        assert take() == "taken"
        assert heard == ["told"]
    finally:
        revocations.leave(listener)
    take_again = revocations.told(lambda: None)
    take_again()
    assert heard == ["told"]
