"""The page of a form in Chromium: from the link in the event to the run that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

import store.clock
from store import forms
from tests.browser import apps
from tests.browser.conftest import connect
from tests.browser.test_app_looks import NAMELESS, UNDESCRIBED
from tests.browser.test_looks import CONTRAST, PHONE, XSS
from tests.engine.forms import ACTIONS, COMMENT, answer, review
from tests.engine.graphs import document, edge, end, node

Open = Callable[..., Page]
Ask = Callable[..., tuple[str, str]]

CHOICE = {
    "type": "select", "output_variable_name": "channel",
    "option_source": {"type": "constant", "selector": [], "value": ["Newsletter", "Web site", "W" * 80]},
}  # fmt: skip
FILE = {"type": "file", "output_variable_name": "signed_copy", "allowed_file_types": ["document", "image"]}
FILES = {**FILE, "type": "file-list", "output_variable_name": "pictures", "allowed_file_types": ["image"]}
CONTENT = """# Shall this be *published*?

The draft, as **written** by the model, is about bees. See [the source](https://bees.example/dance).

> Bees dance to tell where the flowers are.

| Check | Result | Words |
| :--- | :---: | ---: |
| Spelling | fine | 120 |
| Length | a little long, perhaps, for a newsletter on a telephone | 1200 |

1. Say where it goes: {{#$output.channel#}}
2. Say what is to change: {{#$output.comment#}}

```
A line of code that is far too long for a telephone: for word in words: print(word, end=" ", flush=True)
```

Then sign it {{#$output.signed_copy#}} and choose.
"""
STYLES = ["primary", "default", "accent", "ghost"]
MANY = [{"id": f"a{n}", "title": f"{style.title()} button", "button_style": style} for n, style in enumerate(STYLES)]


@pytest.fixture
def asked(base: str) -> Ask:
    """Runs an app that asks a person; the run's id, and the form's path as the event tells it."""

    def start(definition: dict[str, Any] | None = None, **data: Any) -> tuple[str, str]:
        app = apps.add(definition or review(**data))
        url, headers = f"{base}/openapi/v1{app}/run", {"Authorization": f"Bearer {connect('Test')}"}
        with httpx.stream("POST", url, headers=headers, json={"inputs": {}}, timeout=60) as stream:
            for line in stream.iter_lines():
                event = json.loads(line[6:]) if line.startswith("data: ") else {}
                if event.get("event") == "human_input_required":
                    form_url: str = event["data"]["form_url"]
                    assert form_url.startswith(f"{base}/form/")
                    return event["workflow_run_id"], form_url.removeprefix(base)
        raise AssertionError("nobody was asked")

    return start


def whole(asked: Ask) -> tuple[str, str]:
    """A run with a form that has everything."""
    return asked(content=CONTENT, inputs=[CHOICE, COMMENT, FILE, FILES], user_actions=ACTIONS)


def given(run: str) -> dict[str, Any]:
    """The answer that a run's form was given."""
    (form,) = forms.of_run(run)
    assert form.answer is not None
    return form.answer


def test_a_form_is_filled_in_and_sent_with_the_keyboard_alone(visit: Open, asked: Ask) -> None:
    run, path = asked(content="{{#$output.channel#}} and {{#$output.comment#}}", inputs=[COMMENT, CHOICE])
    page = visit(path)
    keys = page.keyboard
    to(page, "Channel")
    keys.type("Web")
    keys.press("Tab")
    expect(page.get_by_label("Comment")).to_be_focused()
    keys.type("one")
    keys.press("Enter")
    keys.type("two")
    keys.press("Tab")
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus must be seen"
    keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    expect(page.get_by_role("status")).to_contain_text("You chose: Reject")
    assert given(run) == {"action": "reject", "inputs": {"channel": "Web site", "comment": "one\ntwo"}}


def test_a_form_needs_no_script(visit: Open, asked: Ask) -> None:
    run, path = whole(asked)
    page = visit(path, java_script_enabled=False)
    page.get_by_label("Channel").select_option("Newsletter")
    page.get_by_label("Comment").fill("fine")
    page.get_by_label("Signed copy", exact=True).set_input_files(file("bees.txt", b"Bees dance."))
    page.get_by_label("Pictures optional").set_input_files([file("a.png", PNG), file("b.png", PNG)])
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    inputs = given(run)["inputs"]
    assert inputs["signed_copy"]["filename"] == "bees.txt"
    assert [one["filename"] for one in inputs["pictures"]] == ["a.png", "b.png"]


def test_enter_in_a_line_of_text_answers_nothing(visit: Open, asked: Ask) -> None:
    run, path = asked(inputs=[FILE])
    page = visit(path)
    page.get_by_label("or an address").fill("https://bees.example/a.pdf")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert forms.of_run(run)[0].is_waiting


def test_what_is_missing_is_asked_for_before_it_is_sent_and_what_is_wrong_is_told_at_its_field(
    visit: Open, asked: Ask
) -> None:
    run, path = asked(inputs=[COMMENT, CHOICE, FILE])
    page = visit(path)
    page.get_by_label("Comment").fill("kept <b>")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_label("Channel")).to_be_focused()
    page.get_by_label("Channel").select_option("Newsletter")
    page.get_by_label("Signed copy", exact=True).set_input_files(file("a.mp3", b"ID3"))
    page.get_by_role("button", name="Approve").click()
    expect(page).to_have_title("Not taken: Review · difyspec")
    expect(page.get_by_role("alert")).to_contain_text("Signed copy: a.mp3 is of a kind")
    field = page.get_by_label("Signed copy", exact=True)
    assert field.get_attribute("aria-invalid") == "true"
    expect(field).to_have_accessible_description(
        "a.mp3 is of a kind that is not taken here. Documents, images, up to 15 MB."
    )
    expect(page.get_by_label("Comment")).to_have_value("kept <b>")
    expect(page.get_by_label("Channel")).to_have_value("Newsletter")
    page.get_by_role("alert").get_by_role("link", name="Signed copy").click()
    expect(field).to_be_focused()
    field.set_input_files(file("a.pdf", b"%PDF-1.4"))
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert given(run)["inputs"]["comment"] == "kept <b>"


def test_an_answered_form_says_so_also_to_who_has_it_open(visit: Open, asked: Ask) -> None:
    run, path = asked()
    page = visit(path)
    answer(path.removeprefix("/form/"), comment="mine")
    page.get_by_label("Comment").fill("late")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This form has been answered")
    assert given(run)["inputs"] == {"comment": "mine"}
    assert page.goto(path).status == 412  # type: ignore[union-attr]
    expect(page.get_by_role("heading", level=1)).to_have_text("This form has been answered")


class Later(store.clock.Clock):
    """The clock, some time ahead."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Later]:
    clock = Later()
    monkeypatch.setattr(store.clock._Installed, "clock", clock)
    yield clock
    clock.ahead = timedelta()


def test_an_expired_form_says_so_also_to_who_has_it_open(visit: Open, asked: Ask, later: Later) -> None:
    run, path = asked()
    page = visit(path)
    expect(page.locator("main")).to_contain_text("It can be answered until")
    later.ahead = timedelta(hours=2)
    page.get_by_label("Comment").fill("late")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This form has expired")
    assert forms.of_run(run)[0].answer is None
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("This form has expired")


def test_markup_stays_words_wherever_it_stands(visit: Open, asked: Ask) -> None:
    comment = {**COMMENT, "default": {"type": "constant", "selector": [], "value": XSS}}
    choice = {**CHOICE, "option_source": {"type": "constant", "selector": [], "value": [XSS]}}
    actions = [{"id": "go", "title": XSS, "button_style": "primary"}]
    content = f"{XSS}\n\n![x](https://img.example/x.png) [a](javascript:alert(1)) {{{{#$output.comment#}}}}"
    nodes = [
        node("start", "start", variables=[]),
        {**node("review", "human-input"), "data": {**review()["graph"]["nodes"][1]["data"], "title": XSS,
         "form_content": content, "inputs": [comment, choice], "user_actions": actions}},
        end(result=["review", "comment"]),
    ]  # fmt: skip
    _, path = asked(document(nodes, [edge("start", "review"), edge("review", "end", "go")]))
    page = visit(path)
    expect(page.get_by_role("heading", level=1)).to_have_text(XSS)
    expect(page.get_by_label("Comment")).to_have_value(XSS)
    expect(page.get_by_role("button", name=XSS)).to_be_visible()
    assert page.locator("main img, main script, main iframe, [onerror]").count() == 0
    page.get_by_label("Channel").select_option(XSS)
    page.get_by_role("button", name=XSS).click()
    expect(page.get_by_role("status")).to_contain_text(f"You chose: {XSS}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_form_fits_a_phone_and_can_be_read_and_named(visit: Open, asked: Ask, scheme: Any, tmp_path: Path) -> None:
    _, path = whole(asked)
    page = visit(path, **PHONE, color_scheme=scheme)
    page.screenshot(path=tmp_path / "phone.png", full_page=True)
    fits(page)
    assert page.evaluate(CONTRAST) == [], "WCAG 1.4.3 asks for 4.5 to 1"
    page.get_by_label("Channel").select_option("W" * 80)
    page.get_by_label("Signed copy", exact=True).set_input_files(file(f"{'w' * 80}.mp3", b"ID3"))
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.screenshot(path=tmp_path / "wrong.png", full_page=True)
    fits(page)
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_buttons_of_every_style_can_be_read(visit: Open, asked: Ask, width: int, tmp_path: Path) -> None:
    _, path = asked(user_actions=MANY)
    page = visit(path, viewport={"width": width, "height": 800})
    page.screenshot(path=tmp_path / "buttons.png", full_page=True)
    assert page.evaluate(CONTRAST) == []


def fits(page: Page) -> None:
    """Nothing is wider than the phone, what is pressed is large enough, and every field has a name."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(UNDESCRIBED) == []
    assert page.locator("h1").count() == 1
    heights = page.evaluate(
        "[...document.querySelectorAll('main button:not([hidden]), main input:not([type=hidden]), main select')]"
        ".map(e => e.getBoundingClientRect().height)"
    )
    assert heights
    assert all(height >= 44 for height in heights)


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def file(name: str, content: bytes) -> Any:
    """A file to choose."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def to(page: Page, label: str) -> None:
    """Press Tab until the field with this label has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.get_by_label(label).evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not reach {label!r}")
