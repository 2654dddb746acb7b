"""My apps and the page to try one: what is listed, what the form asks, whose runs are shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import store.accounts
import store.apps
import store.conversations
import store.cookies
import store.events
import store.run_lists
import store.runs
import store.workspaces
from engine.definition import reading as definition
from store.apps import App
from store.caller import Caller
from store.runs import Run
from tests.web.conftest import Browser
from web import pages

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
XSS = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


@pytest.fixture
def home(ada: store.accounts.Account) -> str:
    """Ada's workspace."""
    return store.workspaces.create("Home", ada.id).id


def make(workspace_id: str, author_id: str, example: str = "summarise", publish: bool = True, **more: Any) -> App:
    """An app from the examples."""
    found = definition.load((EXAMPLES / f"{example}.yml").read_bytes())
    about = {"name": found.name, "mode": found.mode, "description": found.description, "tags": ["demo"], **more}
    app = store.apps.create(workspace_id, author_id, definition=found.document, source="", **about)
    if publish:
        store.apps.publish(app.id)
    return app


def begin(app: App, account: store.accounts.Account, inputs: dict[str, Any], **more: Any) -> Run:
    """A run of an account that nobody executes."""
    version = store.apps.version(app.id, None)
    assert version is not None
    caller = store.cookies.caller(account)
    return store.runs.create(
        app_id=app.id, version_id=version.id, caller=caller, inputs=inputs, mode=app.mode, **more
    )  # fmt: skip


def test_strangers_are_sent_to_sign_in_and_back(browser: Browser, opened: None) -> None:
    for path in ("/apps", "/apps/", "/apps/x", "/apps/x/runs/y"):
        assert browser.get(path).headers["Location"] == f"/signin?next={path}"


def test_apps_are_listed_filtered_and_paged(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    for number in range(26):
        make(home, ada.id, name=f"App {number}")
    make(home, ada.id, "ask", name="Talk", tags=["talk"])
    first, second = signed_in.get("/apps").text, signed_in.get("/apps?page=2").text
    assert "27 apps" in first
    assert first.count('class="card app"') == 24
    assert second.count('class="card app"') == 3
    assert "page=2" in first
    assert "page=1" in second
    assert "Page 1 of 2" in first
    for query in ("mode=advanced-chat", "tag=talk", "name=tal"):
        page = signed_in.get(f"/apps?{query}").text
        assert page.count('class="card app"') == 1
        assert "Talk" in page
    assert "No app is like that" in signed_in.get("/apps?name=nothing").text
    for odd in ("page=0", "page=-1", "page=x", "page=99999999999", "mode=%00", "name=%00", "tag=" + "x" * 500):
        assert signed_in.get(f"/apps?{odd}").status_code == 200


def test_a_link_to_another_page_is_made_of_known_words_only(
    signed_in: Browser, ada: store.accounts.Account, home: str
) -> None:
    for number in range(25):
        make(home, ada.id, name=f"App {number}")
    page = signed_in.get("/apps?name=App&_scheme=javascript&_external=1&_anchor=x&app_id=y").text
    assert 'rel="next" href="/apps?name=App&amp;page=2"' in page


def test_only_my_workspaces_are_shown(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    bob = store.accounts.create("bob@example.com", "Bob")
    away = store.workspaces.create("Away", bob.id).id
    theirs = make(away, bob.id, name="Secret")
    assert "Secret" not in signed_in.get("/apps").text
    assert signed_in.get(f"/apps?workspace={away}").status_code == 404
    assert signed_in.get(f"/apps/{theirs.id}").status_code == 404
    assert signed_in.get("/apps/not-an-id").status_code == 404


def test_without_a_workspace_the_page_says_how_to_begin(signed_in: Browser) -> None:
    assert "difyspec apps import" in signed_in.get("/apps").text


def test_the_form_has_a_field_for_each_input_with_its_bounds(
    signed_in: Browser, ada: store.accounts.Account, home: str
) -> None:
    page = signed_in.get(f"/apps/{make(home, ada.id, 'rewrite').id}").text
    assert re.search(r'<textarea rows="5" maxlength="4000" id="in-1" data-input="query"[^>]*required', page)
    assert re.search(r'<select id="in-2" data-input="readers" data-kind="choice"[^>]*required', page)
    assert "<option >children</option>" in page
    assert re.search(r'<input type="number"[^>]*value="50" id="in-3" data-input="words"', page)
    assert re.search(r'<input type="checkbox" id="in-4" data-input="emoji" data-kind="switch"', page)
    assert 'name="query"' not in page, "a completion has no conversation"
    talk = signed_in.get(f"/apps/{make(home, ada.id, 'greeter').id}").text
    assert 'name="query"' in talk
    assert "Hello {{name}}, how are you today?" in talk
    assert 'data-say="Fine and you?"' in talk


def test_a_run_is_mine_alone(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    app, other = make(home, ada.id), make(home, ada.id)
    bob = store.accounts.create("bob@example.com", "Bob")
    store.workspaces.add_member(home, bob.id, "normal")
    mine, theirs = begin(app, ada, {"text": "My bees"}), begin(app, bob, {"text": "His wasps"})
    page = signed_in.get(f"/apps/{app.id}/runs/{mine.id}")
    assert page.status_code == 200
    assert ">My bees</textarea>" in page.text.replace("\n", "")
    assert signed_in.get(f"/apps/{app.id}/runs/{mine.task_id}").status_code == 200
    assert "His wasps" not in signed_in.get(f"/apps/{app.id}").text
    absent = "0198e8a0-0000-7000-8000-000000000000"
    answers = [signed_in.get(f"/apps/{app.id}/runs/{run}") for run in (theirs.id, theirs.task_id, absent, "x")]
    answers.append(signed_in.get(f"/apps/{other.id}/runs/{mine.id}"))
    assert [answer.status_code for answer in answers] == [404] * 5
    assert len({answer.text for answer in answers}) == 1, "a run of somebody else must look like none"


def test_my_runs_are_listed_newest_first_and_paged(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    app = make(home, ada.id)
    for number in range(12):
        begin(app, ada, {"text": f"text {number}", "tone": "plain"})
    page = signed_in.get(f"/apps/{app.id}").text
    assert re.findall(r"text (\d+) · plain", page) == [str(number) for number in range(11, 1, -1)]
    assert re.findall(r"text (\d+) · plain", signed_in.get(f"/apps/{app.id}?page=2").text) == ["1", "0"]


def test_a_run_that_ended_can_be_read_without_a_script(
    signed_in: Browser, ada: store.accounts.Account, home: str
) -> None:
    app = make(home, ada.id)
    good, bad = begin(app, ada, {"text": "x"}), begin(app, ada, {"text": "x"})
    store.runs.begin(good.id)
    store.runs.finish(good.id, "succeeded", {"summary": "Bees.", "list": [1]}, elapsed=1.5)
    store.runs.finish(bad.id, "failed", error="The model was away.")
    page = signed_in.get(f"/apps/{app.id}/runs/{good.id}").text
    assert "Finished after 1.50 s" in page
    assert "<dt>summary</dt>" in page
    assert "Bees." in page
    assert "Failed after 0 ms: The model was away." in signed_in.get(f"/apps/{app.id}/runs/{bad.id}").text


def test_a_conversation_is_shown_whole(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    app = make(home, ada.id, "ask")
    caller: Caller = store.cookies.caller(ada)
    talk = store.conversations.open(app.id, caller, {}, "Talk")
    runs = []
    for query in ("First question", "Second question"):
        message = store.conversations.create_message(talk.id, query=query, inputs={})
        store.conversations.finish_message(message.id, answer=f"Answer to {query}")
        runs.append(begin(app, ada, {}, conversation_id=talk.id, message_id=message.id, query=query))
    page = signed_in.get(f"/apps/{app.id}/runs/{runs[0].id}").text
    assert page.index("First question") < page.index("Answer to First") < page.index("Answer to Second")
    assert f'data-conversation="{talk.id}"' in page
    bob = store.accounts.create("bob@example.com", "Bob")
    assert store.run_lists.turns(store.cookies.caller(bob), app.id, talk.id) == []


def test_an_app_without_a_version_says_so(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    page = signed_in.get(f"/apps/{make(home, ada.id, publish=False).id}").text
    assert "no published version" in page
    assert re.search(r'<button id="run"[^>]*disabled', page)


def test_an_app_that_is_not_open_to_me_says_whom_to_ask(
    signed_in: Browser, ada: store.accounts.Account, home: str
) -> None:
    bob = store.accounts.create("bob@example.com", "Bob")
    store.workspaces.add_member(home, bob.id, "editor")
    app = make(home, bob.id, access_mode="private")
    answer = signed_in.get(f"/apps/{app.id}")
    assert answer.status_code == 403
    assert "not open to you" in answer.text
    store.apps.set_access(app.id, "private_all")
    store.apps.set_api(app.id, False)
    assert "switched off" in signed_in.get(f"/apps/{app.id}").text


def test_markup_anywhere_is_text(signed_in: Browser, ada: store.accounts.Account, home: str) -> None:
    found = definition.load((EXAMPLES / "ask.yml").read_bytes()).document
    for node in found["graph"]["nodes"]:
        node["data"]["title"] = XSS
    start = found["graph"]["nodes"][0]["data"]["variables"][0]
    start.update(label=XSS, description=XSS, default=XSS, max_length=400)
    found["features"].update(opening_statement=XSS, suggested_questions=[XSS])
    app = make(home, ada.id, "ask", name=XSS, description=XSS, tags=[XSS])
    store.apps.save_draft(app_id=app.id, definition=found, source="")
    store.apps.publish(app.id)
    run = begin(app, ada, {"name": XSS}, query=XSS)
    store.runs.finish(run.id, "failed", error=XSS)
    for path in ("/apps", f"/apps/{app.id}", f"/apps/{app.id}/runs/{run.id}", f"/apps?name={XSS}&tag={XSS}"):
        page = signed_in.get(path).text
        assert "<img" not in page
        assert "<script>" not in page
        assert "onerror" in page, "the words themselves are shown"


def test_scripts_come_from_this_server_and_only_where_they_are_needed(
    signed_in: Browser, ada: store.accounts.Account, home: str
) -> None:
    page = signed_in.get(f"/apps/{make(home, ada.id).id}")
    policy = page.headers["Content-Security-Policy"]
    assert policy == pages.CONTENT_SECURITY_POLICY + "; script-src 'self'; connect-src 'self'"
    assert "unsafe" not in policy
    assert " style=" not in page.text
    assert not re.search(r"<script(?![^>]*\ssrc=)", page.text), "no script is written into the page"
    assert not re.search(r"\son[a-z]+=", page.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text), "nothing comes from elsewhere"
    for path in ("/apps", "/devices", "/signin"):
        assert "script-src" not in signed_in.get(path).headers["Content-Security-Policy"]
