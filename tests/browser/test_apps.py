"""Trying apps in a page: what people see while a run works, and afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

import store.accounts
import store.cookies
import store.files
from tests.browser import apps
from tests.browser.apps import ends, press
from tests.browser.conftest import EMAIL, sign_in
from tests.engine import forms, graphs

Open = Callable[..., Page]


def test_an_app_is_found_and_its_text_arrives_before_the_end(signed_in: Open) -> None:
    apps.add(apps.wordy(60, 60), "Slow writer")
    apps.example("summarise")
    page = signed_in("/apps")
    page.get_by_label("Name").fill("slow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("listitem").filter(has_text="Summarise")).to_have_count(0)
    page.get_by_role("link", name="Slow writer").click()
    press(page, "Run")
    answer = page.locator(".answer")
    expect(answer).to_contain_text("w3 ")
    assert "w59" not in answer.inner_text()
    expect(page.locator("#state")).to_have_attribute("data-state", "running")
    expect(page.locator(".step", has_text="Write")).to_have_attribute("data-state", "running")
    expect(page.locator("svg [data-node=write]")).to_have_attribute("data-state", "running")
    expect(page.locator("#runs")).to_contain_text("Running")
    ends(page)
    assert page.locator(".outputs dd").text_content() == apps.said(60)
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"Finished after [\d.]+ s"))
    expect(page.locator(".step", has_text="Write").locator(".time")).to_have_text(re.compile(r"[\d.]+ s"))
    expect(page.locator("svg [data-node=end]")).to_have_attribute("data-state", "succeeded")
    expect(page.locator("#runs")).to_contain_text("Finished")


def test_a_run_is_reloaded_in_the_middle_and_is_there_whole(signed_in: Open) -> None:
    page = signed_in(apps.add(apps.wordy(80, 60)))
    press(page, "Run")
    expect(page.locator(".answer")).to_contain_text("w5 ")
    expect(page).to_have_url(re.compile("/runs/"))
    page.reload()
    expect(page.locator(".answer")).to_contain_text("w6 ")
    assert "w79" not in page.locator(".answer").inner_text(), "it goes on live"
    expect(page.get_by_role("button", name="Stop")).to_be_enabled()
    ends(page)
    assert page.locator(".outputs dd").text_content() == apps.said(80)
    page.locator("#raw summary").click()
    numbers = page.locator("#raw .number").all_inner_texts()
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)], "no gap and no repeat"
    page.go_back()
    expect(page.get_by_role("status")).to_have_text("Not run yet.")


def test_a_run_is_stopped(signed_in: Open) -> None:
    page = signed_in(apps.add(apps.wordy(500, 100)))
    press(page, "Run")
    expect(page.locator(".answer")).to_contain_text("w1 ")
    press(page, "Stop")
    ends(page, "stopped")
    expect(page.locator(".step", has_text="Write")).to_have_attribute("data-state", "stopped")
    expect(page.locator(".answer")).to_contain_text("w1 ")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.get_by_role("button", name="Run")).to_be_enabled()


def test_a_broken_connection_is_taken_up_where_it_broke(signed_in: Open) -> None:
    page = signed_in(
        apps.add(apps.line(apps.start(), graphs.llm("write", "Bienen – 蜜蜂 – 🐝 – пчёлы"), result=["write", "text"]))
    )
    asked: list[str] = []

    def cut(route: Route) -> None:
        whole = route.fetch()
        body = whole.body()
        # In the middle of the bee, which is four bytes.
        route.fulfill(response=whole, body=body[: body.index("🐝".encode()) + 2])

    page.route("**/run", cut)
    page.on("request", lambda request: asked.append(request.headers.get("last-event-id", "")))
    press(page, "Run")
    ends(page)
    assert page.locator(".outputs dd").text_content() == "echo: Bienen – 蜜蜂 – 🐝 – пчёлы"
    assert page.locator(".answer").text_content() == "echo: Bienen – 蜜蜂 – 🐝 – пчёлы"
    again = [number for number in asked if number]
    assert len(again) == 1, "one connection took up the rest"
    page.locator("#raw summary").click()
    numbers = page.locator("#raw .number").all_inner_texts()
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert 1 < int(again[0]) < len(numbers)


def test_a_stop_that_does_not_get_through_is_asked_for_again(signed_in: Open) -> None:
    page = signed_in(apps.add(forms.review()))
    # The first stream ends with the pause; for the next one the server is away.
    page.route("**/tasks/**", lambda route: route.abort())
    press(page, "Run")
    expect(page.locator("#state")).to_have_attribute("data-state", "broken")
    press(page, "Stop")
    expect(page.get_by_role("alert").filter(has_text="The run is stopped when it can be.")).to_be_visible()
    page.unroute("**/tasks/**")
    ends(page, "stopped")
    expect(page.get_by_role("alert").filter(has_text="The run is stopped")).to_be_hidden()


def test_a_node_that_fails_is_pointed_out_with_its_error(signed_in: Open) -> None:
    page = signed_in(
        apps.add(
            apps.line(apps.start(), graphs.llm("write", "go", error="The model is tired."), result=["write", "text"])
        )
    )
    press(page, "Run")
    ends(page, "failed")
    expect(page.get_by_role("status")).to_contain_text("Failed after")
    expect(page.get_by_role("status")).to_contain_text("The model is tired.")
    step = page.locator(".step", has_text="Write")
    expect(step).to_have_attribute("data-state", "failed")
    expect(step.locator(".why")).to_contain_text("The model is tired.")
    expect(page.locator("svg [data-node=write]")).to_have_attribute("data-state", "failed")
    expect(page.locator("svg [data-node=end]")).to_have_attribute("data-state", "")
    page.reload()
    ends(page, "failed")
    expect(page.locator(".step", has_text="Write").locator(".why")).to_contain_text("The model is tired.")


def test_rounds_stand_inside_their_container_and_the_branch_taken_is_drawn(signed_in: Open) -> None:
    page = signed_in(apps.example("triage"))
    page.get_by_label("Report").fill("Smoke.")
    page.get_by_label("Severity").select_option("high")
    press(page, "Run")
    ends(page)
    top = page.locator("#timeline > .step > .head .name").all_inner_texts()
    assert top == ["Start", "Urgent?", "Page the team", "Write the log", "Paged"]
    loop = page.locator("#timeline > .step", has_text="Page the team").locator(":scope > .steps > li")
    assert [text.split("\n")[0] for text in loop.all_inner_texts()] == [
        "Round 1",
        "Note",
        "Count",
        "Round 2",
        "Note",
        "Count",
    ]
    expect(page.locator("[data-from=urgent][data-to=page]")).to_have_attribute("data-taken", "")
    assert page.locator("[data-from=urgent][data-to=reply]").get_attribute("data-taken") is None
    expect(page.locator("svg [data-node=line]")).to_have_attribute("data-state", "succeeded")
    expect(page.locator("svg [data-node=reply]")).to_have_attribute("data-state", "")


def test_a_conversation_goes_on_and_is_opened_again(signed_in: Open) -> None:
    page = signed_in(apps.example("ask"))
    page.get_by_role("button", name="What can you do?").click()
    page.keyboard.press("Enter")
    ends(page)
    expect(page.locator(".turn .answer")).to_have_text("echo: What can you do?")
    query = page.get_by_label("Go on")
    expect(query).to_be_focused()
    expect(query).to_have_value("")
    page.keyboard.type("Second")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("line")
    page.keyboard.press("Enter")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".turn .answer").last).to_have_text("echo: Second\nline")
    ends(page)
    expect(page.locator(".turn").first.get_by_role("link", name="How it came about")).to_be_visible()
    expect(page.get_by_role("link", name="How it came about")).to_have_count(1)
    page.reload()
    ends(page)
    expect(page.locator(".turn .said")).to_have_text(["What can you do?", "Second\nline"])
    expect(page.locator(".turn .answer")).to_have_text(["echo: What can you do?", "echo: Second\nline"])
    page.get_by_label("Go on").fill("Third")
    press(page, "Send")
    expect(page.locator(".turn .answer").last).to_have_text("echo: Third")
    ends(page)
    assert page.evaluate("document.getElementById('try').dataset.conversation") != ""
    page.get_by_role("link", name="How it came about").first.click()
    ends(page)
    expect(page.locator(".turn")).to_have_count(3)


@pytest.mark.parametrize("name", ["greeter", "planner", "rewrite"])
def test_apps_without_a_graph_answer_too(signed_in: Open, name: str) -> None:
    page = signed_in(apps.example(name))
    if name == "rewrite":
        page.get_by_label("Text").fill("Bees dance.")
        page.get_by_label("Readers").select_option("children")
        press(page, "Run")
    else:
        if name == "greeter":
            page.get_by_label("Your name").fill("Ada")
            expect(page.locator("#opening")).to_have_text("Hello Ada, how are you today?")
        page.get_by_label("Say something").fill("Hello")
        press(page, "Send")
    ends(page)
    answer = page.locator(".answer").last
    expect(answer).to_contain_text("echo: ")
    before = answer.text_content()
    page.reload()
    ends(page)
    expect(page.locator(".answer").last).to_have_text(str(before))


def test_what_the_server_refuses_is_told_at_the_field(signed_in: Open) -> None:
    shape = {"type": "json_object", "json_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    page = signed_in(
        apps.add(apps.line(apps.start(settings={**shape, "required": True}), result=["start", "settings"]))
    )
    field = page.get_by_label("Settings")
    field.fill("{n: 1}")
    press(page, "Run")
    expect(page.get_by_role("alert").filter(has_text="This is not JSON")).to_be_visible()
    field.fill('{"n": "one"}')
    press(page, "Run")
    expect(page.get_by_role("alert").filter(has_text="does not match schema")).to_be_visible()
    expect(field).to_be_focused()
    assert field.get_attribute("aria-invalid") == "true"
    expect(page.get_by_role("status")).to_have_text("Not started.")
    field.fill('{"n": 1}')
    press(page, "Run")
    ends(page)
    expect(page.locator(".wrong:visible")).to_have_count(0)


def test_a_run_that_asks_a_person_waits_and_goes_on_with_the_answer(signed_in: Open) -> None:
    page = signed_in(apps.add(forms.review(content="Shall it <b>go</b>?")))
    press(page, "Run")
    card = page.locator("#forms .form")
    expect(card).to_contain_text("Shall it <b>go</b>?")
    expect(page.get_by_role("status")).to_have_text("Waiting for an answer")
    expect(page.locator("#runs .badge")).to_have_text("Waiting")
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    expect(page.locator("svg [data-node=review]")).to_have_attribute("data-state", "paused")
    page.reload()
    way = card.get_by_role("link", name="Answer the form")
    token = str(way.get_attribute("href")).removeprefix("/form/")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    forms.answer(token, comment="Yes.")
    ends(page)
    expect(card).to_contain_text("Answered: Approve")
    expect(way).to_have_count(0)
    expect(page.locator(".outputs")).to_contain_text("approve")
    expect(page.locator("svg [data-node=review]")).to_have_attribute("data-state", "succeeded")
    steps = page.locator("#timeline .name").all_inner_texts()
    page.reload()
    expect(page.locator("#timeline .name")).to_have_text(steps)


def test_a_form_is_answered_from_the_page_of_its_run_which_goes_on_live(signed_in: Open) -> None:
    slow = graphs.llm("write", "{{#review.comment#}} go", delay_ms=60, chunks=40)
    nodes = [graphs.node("start", "start", variables=[]), forms.ask(content="Why? {{#$output.comment#}}"), slow,
             graphs.end(result=["write", "text"])]  # fmt: skip
    edges = [graphs.edge("start", "review"), graphs.edge("review", "write", "approve"), graphs.edge("write", "end")]
    page = signed_in(apps.add(graphs.document(nodes, edges)))
    press(page, "Run")
    way = page.locator("#forms").get_by_role("link", name="Answer the form")
    expect(way).to_be_visible()
    expect(page.locator("#forms .text")).to_have_text("Why? [comment]")
    way.focus()
    with page.expect_popup() as opened:
        page.keyboard.press("Enter")
    form = opened.value
    form.get_by_label("Comment").fill("Because.")
    form.get_by_role("button", name="Approve").click()
    expect(form.get_by_role("heading", level=1)).to_have_text("Thank you")
    expect(page.locator(".answer")).to_contain_text("w3 ")
    assert "w39" not in page.locator(".answer").inner_text(), "it goes on live"
    expect(page.locator("#forms .note")).to_have_text("Answered: Approve")
    ends(page)
    assert page.locator("#timeline .name").all_inner_texts() == ["Start", "Review", "Write", "End"]
    assert page.locator(".outputs dd").text_content() == apps.said(40)


def test_of_several_forms_the_one_that_was_answered_is_closed(signed_in: Open) -> None:
    page = signed_in(apps.add(forms.side_by_side()))
    press(page, "Run")
    cards = page.locator("#forms .form")
    expect(cards).to_have_count(2)
    second = cards.filter(has_text="Item b")
    token = str(second.get_by_role("link").get_attribute("href")).removeprefix("/form/")
    forms.answer(token, comment="B")
    expect(second.locator(".note")).to_have_text("Answered: Approve")
    expect(cards.filter(has_text="Item a").get_by_role("link")).to_be_visible()
    step = page.locator("#timeline .step[data-node=review]")
    expect(step).to_have_count(2)
    assert sorted(one.get_attribute("data-state") or "" for one in step.all()) == ["paused", "succeeded"]
    token = str(cards.filter(has_text="Item a").get_by_role("link").get_attribute("href")).removeprefix("/form/")
    forms.answer(token, comment="A")
    ends(page)
    inside = page.locator("#timeline > .step", has_text="Again").locator(":scope > .steps > li")
    assert [text.split("\n")[0] for text in inside.all_inner_texts()] == ["Round 1", "Review", "Round 2", "Review"]


def test_rounds_that_run_side_by_side_are_told_apart(signed_in: Open) -> None:
    inner = {"isInIteration": True, "iteration_id": "each"}
    each = graphs.node("each", "iteration", iterator_selector=["start", "items", "list"], start_node_id="first",
                       output_selector=["two", "output"], is_parallel=True, parallel_nums=4)  # fmt: skip
    one = graphs.node("one", "code", "each", code_language="python3", outputs={"out": {"type": "string"}}, **inner,
                      variables=[{"variable": "item", "value_selector": ["each", "item"]}],
                      code="def main(item):\n    sum(range(int(item)))\n    return {'out': item}")  # fmt: skip
    two = graphs.template("two", "{{ x }}", x=["one", "out"])
    two["parentId"], two["data"] = "each", two["data"] | inner
    items = {"list": ["2000000", "1", "1000000", "0"]}
    nodes = [
        apps.start(items={"type": "json_object", "default": items}),
        each,
        graphs.node("first", "iteration-start", "each", **inner),
        one,
        two,
        graphs.end(result=["each", "output"]),
    ]
    pairs = [("start", "each"), ("first", "one"), ("one", "two"), ("each", "end")]
    edges = [graphs.edge(*pair) for pair in pairs]
    page = signed_in(apps.add(graphs.document(nodes, edges)))
    page.get_by_label("Items").fill(json.dumps(items))
    press(page, "Run")
    ends(page)
    rows = page.locator("#timeline > .step", has_text="Each").locator(":scope > .steps > li")
    told = [text.split("\n")[0] for text in rows.all_inner_texts()]
    assert told == [name for number in range(1, 5) for name in (f"Round {number}", "One", "Two")]
    page.reload()
    expect(page.locator("#timeline > .step", has_text="End")).to_be_visible()
    assert [text.split("\n")[0] for text in rows.all_inner_texts()] == told


def test_a_stream_ends_when_its_browser_is_signed_out_and_the_run_goes_on(signed_in: Open) -> None:
    page = signed_in(apps.add(apps.wordy(60, 100)))
    press(page, "Run")
    expect(page.locator(".answer")).to_contain_text("w1 ")
    other = page.context.new_page()
    other.goto("/devices")
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The run goes on; sign in to see it.")
    assert "w59" not in page.locator(".answer").inner_text()
    page.get_by_role("link", name="Sign in again").click()
    sign_in(page)
    ends(page)
    assert page.locator(".outputs dd").text_content() == apps.said(60)


def test_a_run_that_waits_for_a_person_is_stopped(signed_in: Open) -> None:
    page = signed_in(apps.add(forms.review()))
    press(page, "Run")
    expect(page.locator("#state")).to_have_attribute("data-state", "paused")
    press(page, "Stop")
    ends(page, "stopped")
    expect(page.locator("#forms")).to_contain_text("No longer asked.")


def test_a_sign_in_that_ended_is_said_with_the_way_back(signed_in: Open) -> None:
    topic = apps.start(topic={"type": "text-input"})
    page = signed_in(apps.add(apps.line(topic, result=["start", "topic"])))
    address = page.url
    page.get_by_label("Topic").fill("a long text")
    page.context.clear_cookies()
    press(page, "Run")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Sign in again").click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Sign in")
    sign_in(opened.value)
    expect(opened.value).to_have_url(address)
    press(page, "Run")
    ends(page)
    expect(page.locator(".outputs dd")).to_have_text("a long text")


def test_a_page_may_not_be_used_by_another_site(signed_in: Open) -> None:
    page = signed_in(apps.add(apps.wordy(2, 0)))
    address = f"/openapi/v1{page.url[page.url.index('/apps') :]}"
    cookie = next(one["value"] for one in page.context.cookies() if one["name"] == "difyspec_session")
    body = {"data": {"inputs": {}}}
    for headers in ({}, {"Origin": "https://evil.test"}, {"X-CSRF-Token": "x"}):
        assert page.request.post(f"{address}/run", headers=headers, **body).status == 403
    own = {"X-CSRF-Token": store.cookies.csrf_token(cookie)}
    assert page.request.post(f"{address}/run", headers=own, **body).status == 200


def test_a_file_is_uploaded_and_used(signed_in: Open) -> None:
    kinds = {"type": "file", "required": True, "allowed_file_types": ["document"]}
    ways = {"allowed_file_upload_methods": ["local_file", "remote_url"]}
    pictures = {"type": "file-list", "max_length": 3, "allowed_file_types": ["image"], **ways}
    asked_for = apps.start(paper={**kinds, **ways}, pictures=pictures)
    page = signed_in(apps.add(apps.line(asked_for, result=["start", "paper"])))
    expect(page.get_by_label("Paper", exact=True)).to_have_accessible_description("Documents, up to 15 MB.")
    several = page.get_by_label("Pictures optional", exact=True)
    expect(several).to_have_accessible_description("Images, up to 10 MB each, no more than 3 files.")
    expect(several).to_have_attribute("accept", "image/*")
    press(page, "Run")
    expect(page.get_by_role("alert").filter(has_text="A file is needed.")).to_be_visible()
    page.get_by_label("Paper", exact=True).set_input_files(
        {"name": "bees.txt", "mimeType": "text/plain", "buffer": b"Bees dance."}
    )
    with page.expect_request("**/run") as asked:
        press(page, "Run")
    ends(page)
    paper = asked.value.post_data_json["inputs"]["paper"]
    assert (paper["type"], paper["transfer_method"]) == ("document", "local_file")
    ada = store.accounts.by_email(EMAIL)
    assert ada is not None
    app_id = page.locator("#try").get_attribute("data-app")
    found = store.files.visible(store.cookies.caller(ada), str(app_id), paper["upload_file_id"])
    assert found is not None
    assert found.name == "bees.txt"


def test_files_go_with_what_is_said(signed_in: Open) -> None:
    document = graphs.chat_document()
    document["graph"]["nodes"][-1]["data"]["answer"] = "{{#sys.files#}}"
    upload = {"enabled": True, "allowed_file_types": ["document"], "allowed_file_upload_methods": ["local_file"]}
    page = signed_in(apps.add(document | {"features": {"file_upload": {**upload, "number_limits": 2}}}))
    files = page.get_by_label("Files optional", exact=True)
    expect(files).to_have_accessible_description("Documents, up to 15 MB each, no more than 2 files.")
    files.set_input_files({"name": "bees.txt", "mimeType": "text/plain", "buffer": b"Bees dance."})
    page.get_by_label("Say something").fill("Read this")
    press(page, "Send")
    ends(page)
    expect(page.locator(".turn")).to_contain_text("With bees.txt")
    expect(page.locator(".answer").get_by_role("link", name="bees.txt")).to_be_visible()
    assert files.evaluate("field => field.files.length") == 0


def test_everything_works_with_the_keyboard_alone(signed_in: Open) -> None:
    slow = graphs.llm("write", "{{#start.topic#}}", delay_ms=400)
    topic = apps.start(topic={"type": "text-input", "required": True})
    apps.add(apps.line(topic, slow, result=["write", "text"]), "Only one")
    page = signed_in("/apps")
    keys = page.keyboard
    go(page, "Only one")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Only one")
    go(page, "Topic")
    keys.type("bees and honey")
    keys.press("Tab")
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    keys.press("Space")
    ends(page, "stopped")
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    ends(page)
    go(page, "Raw events")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus must be seen"
    keys.press("Enter")
    expect(page.locator("#raw .number").first).to_be_visible()


def go(page: Page, words: str) -> None:
    """Press Tab until something with these words, or with a label of them, has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if words in focused:
            return
    raise AssertionError(f"the keyboard does not reach {words!r}")


FOCUSED = """() => {
  const it = document.activeElement;
  return [it.innerText, ...[...(it.labels ?? [])].map(label => label.innerText)].join(" ");
}"""
