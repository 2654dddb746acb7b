"""What models write, as the page of an app shows it: Markdown, thoughts, pictures, sources; and what it never does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import apps
from tests.browser.apps import ends, press
from tests.browser.conftest import connect
from tests.browser.test_looks import PHONE
from tests.engine import forms, graphs

Open = Callable[..., Page]
REPORT = """# Bees

They **dance**, see [more](https://bees.example/dance) &amp; `waggle()`.
A line of its own.

| Kind | Far |
| --- | ---: |
| Round | 50 |

1. home
   - circles

```
def dance(): "<b>"
```

<img src=x onerror=alert(1)> [bad](javascript:alert(2)) ![far](https://elsewhere.example/x.png)
"""


def says(answer: str, **script: Any) -> dict[str, Any]:
    """A chat flow whose model always says this."""
    nodes = [
        graphs.node("start", "start", variables=[]),
        graphs.llm("say", "go", answer=answer, **script),
        graphs.node("answer", "answer", answer="{{#say.text#}}"),
    ]
    return graphs.document(nodes, [graphs.edge("start", "say"), graphs.edge("say", "answer")], "advanced-chat")


def ask(page: Page, words: str = "Hello") -> None:
    page.locator("#query").fill(words)
    press(page, "Send")
    ends(page)


def test_an_answer_in_markdown_is_drawn_and_its_markup_stays_words(signed_in: Open) -> None:
    page = signed_in(apps.add(says(REPORT, delay_ms=1)))
    ask(page)
    for _ in range(2):
        answer = page.locator(".turn .answer").first
        expect(answer.get_by_role("heading", name="Bees")).to_be_visible()
        expect(answer.locator("strong")).to_have_text("dance")
        expect(answer.get_by_role("link", name="more")).to_have_attribute("rel", "noopener noreferrer nofollow")
        expect(answer.locator("p").first).to_have_text("They dance, see more & waggle(). A line of its own.")
        expect(answer.get_by_role("cell", name="50")).to_have_class("at-right")
        expect(answer.locator("ol > li > ul > li")).to_have_text("circles")
        expect(answer.locator("pre")).to_have_text('def dance(): "<b>"')
        expect(answer).to_contain_text("<img src=x onerror=alert(1)>")
        expect(answer).to_contain_text("[bad](javascript:alert(2))")
        expect(answer.get_by_role("link", name="far")).to_have_attribute("href", "https://elsewhere.example/x.png")
        assert answer.locator("img, script, h1, h2").count() == 0
        page.reload()
        ends(page)
    ask(page, "Again")
    page.reload()
    ends(page)
    # The turn before comes with the page.
    expect(page.locator(".turn .answer strong")).to_have_count(2)


def test_thoughts_are_folded_and_pictures_are_shown_once(signed_in: Open, base: str) -> None:
    page = signed_in(apps.add(says("Bees *dance*.", reasoning="First, bees.", image=True)))
    ask(page)
    thoughts = page.locator(".turn .thoughts")
    expect(thoughts.get_by_text("First, bees.")).to_be_hidden()
    thoughts.locator("summary").click()
    expect(thoughts.get_by_text("First, bees.")).to_be_visible()
    picture = page.locator(".turn .picture img")
    expect(picture).to_have_count(1)
    expect(picture).to_have_js_property("naturalWidth", 1)
    assert "<think>" not in page.locator(".turn").inner_text()
    # The server may be reached under another name than the one in its links; others are asked for nothing.
    drawn = page.evaluate(PICTURES, ["http://another.name/openapi/v1/files/a-1?sign=x", f"{base}/signout", "x"])
    assert drawn == [f"{base}/openapi/v1/files/a-1?sign=x", None, None]


@pytest.mark.parametrize("text", ["x" * 60_000, "> " * 20_000 + "x"])
def test_a_text_too_long_or_too_deep_to_be_read_is_shown_as_it_is(signed_in: Open, text: str) -> None:
    writer = graphs.llm("write", "go", answer=text)
    page = signed_in(apps.add(apps.line(apps.start(), writer, result=["write", "text"])))
    press(page, "Run")
    ends(page)
    assert page.locator(".outputs dd").text_content() == text


@pytest.mark.parametrize("text", ["_a" * 25_000, "*_a_* **" * 6_000, "a" * 49_000 + "@"])
def test_no_text_holds_up_the_page(signed_in: Open, text: str) -> None:
    page = signed_in(apps.add(says("Yes.")))
    took = page.evaluate(TOOK, text)
    assert took < 3_000, "milliseconds; without a bound for paragraphs 10 seconds and more"


def test_raw_events_are_all_drawn_and_hold_up_no_frame(signed_in: Open) -> None:
    page = signed_in(apps.add(apps.wordy(1_000, 0)))
    page.locator("#raw summary").click()
    press(page, "Run")
    ends(page)
    expect(page.locator("#raw li")).to_have_count(1_008)
    assert page.evaluate(DRAWN_AT_ONCE) <= 300


def test_a_long_output_is_bounded_and_scrolled_by_the_keyboard(signed_in: Open) -> None:
    made = graphs.code("make", "def main():\n    return {'o': {'n': list(range(99))}}", o="object")
    page = signed_in(apps.add(apps.line(apps.start(), made, result=["make", "o"])))
    press(page, "Run")
    ends(page)
    assert page.locator(".outputs dd").evaluate("box => box.scrollHeight > box.clientHeight && box.tabIndex === 0")


def test_an_output_that_is_no_text_is_shown_as_json_and_is_copied_whole(signed_in: Open) -> None:
    made = graphs.code("make", "def main():\n    return {'o': {'n': 1}}", o="object")
    page = signed_in(apps.add(apps.line(apps.start(), made, result=["make", "o"])))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "Run")
    ends(page)
    expect(page.locator(".outputs pre")).to_have_text('{ "n": 1 }')
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == '{\n  "n": 1\n}'


def test_a_question_is_drawn_too_and_a_run_without_a_text_shows_no_empty_card(signed_in: Open) -> None:
    page = signed_in(apps.add(forms.review(content="Is **this** right? [Why](https://bees.example)")))
    expect(page.locator("#answer-card")).to_be_hidden()
    press(page, "Run")
    card = page.locator("#forms .form")
    expect(card.locator("strong")).to_have_text("this")
    expect(page.locator("#answer-card")).to_be_hidden()
    way = card.get_by_role("link", name="Answer the form")
    forms.answer(str(way.get_attribute("href")).removeprefix("/form/"), comment="Yes.")
    ends(page)
    expect(way).to_have_count(0)
    expect(card.get_by_role("link", name="Why")).to_be_visible()


def test_the_page_says_which_run_it_shows_once_there_is_one(signed_in: Open) -> None:
    page = signed_in(apps.add(says("Yes.")))
    way = page.get_by_role("link", name="Begin a new conversation")
    expect(way).to_be_hidden()
    ask(page)
    expect(page.locator(".way")).to_contain_text("Conversation")
    expect(page.locator("#runs li")).to_have_attribute("aria-current", "true")
    expect(page.get_by_label("Go on")).to_be_visible()
    way.click()
    expect(page.get_by_label("Say something")).to_be_visible()


def test_a_large_graph_is_bounded_and_shows_its_beginning_and_then_where_the_run_is(signed_in: Open) -> None:
    middle = [graphs.template(f"n{number}", "x") for number in range(40)]
    wide = [graphs.template(f"w{number}", "x") for number in range(12)]
    document = apps.line(apps.start(), *middle, result=["n39", "output"])
    document["graph"]["nodes"] += wide
    document["graph"]["edges"] += [graphs.edge("start", one["id"]) for one in wide]
    page = signed_in(apps.add(document))
    expect(page.locator("svg [data-node=start]")).to_be_in_viewport()
    expect(page.locator("svg [data-node=end]")).not_to_be_in_viewport()
    press(page, "Run")
    ends(page)
    boxes = [page.locator("svg").locator("xpath=.."), page.locator("#timeline").locator("xpath=..")]
    for box in boxes:
        assert box.evaluate("box => box.clientHeight <= innerHeight && box.scrollTop > 0 && box.tabIndex === 0")


def test_on_a_phone_enter_begins_a_line_and_the_keyboard_stays_down(signed_in: Open) -> None:
    page = signed_in(apps.add(says("Yes.")), **PHONE)
    query = page.locator("#query")
    query.press_sequentially("One")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    expect(query).to_have_value("One\ntwo")
    expect(page.locator(".keys")).to_be_hidden()
    press(page, "Send")
    ends(page)
    expect(page.locator(".said")).to_have_text("One\ntwo")
    expect(query).not_to_be_focused()


def test_the_request_is_told_as_a_curl_line_that_works(signed_in: Open, base: str) -> None:
    topic = apps.start(topic={"type": "text-input"})
    page = signed_in(apps.add(apps.line(topic, result=["start", "topic"])))
    page.locator("#curl summary").click()
    page.get_by_label("Topic").fill("It's a bee")
    line = page.get_by_label("The request as a curl line")
    expect(line).to_contain_text("a bee")
    told = subprocess.run(
        ["bash", "-c", line.inner_text()], env={**os.environ, "TOKEN": connect("curl")}, capture_output=True, text=True,
        timeout=60, check=True,
    ).stdout  # fmt: skip
    assert """"outputs":{"result":"It's a bee"}""" in told


TOOK = """async text => {
  const { Written } = await import('/static/apps/markdown.js');
  const place = document.createElement('div');
  const began = performance.now();
  new Written(place).show(text);
  return performance.now() - began;
}"""

PICTURES = """async addresses => {
  const { picture } = await import('/static/apps/dom.js');
  return addresses.map(address => picture(address, 'name').querySelector('img')?.src ?? null);
}"""

# The most lines that are added in one frame when two thousand events come at once.
DRAWN_AT_ONCE = """async () => {
  const { Raw } = await import('/static/apps/raw.js');
  const details = document.createElement('details');
  details.innerHTML = '<summary><span class="count"></span></summary><ol></ol>';
  details.open = true;
  document.body.append(details);
  const raw = new Raw(details), list = details.querySelector('ol');
  for (let at = 0; at < 2000; at++) raw.add(String(at), '{}');
  let most = 0, before = 0;
  while (before < 2000) {
    await new Promise(requestAnimationFrame);
    most = Math.max(most, list.children.length - before);
    before = list.children.length;
  }
  return most;
}"""
