"""The page of an app on a phone, in the dark, with hostile words everywhere; and the reader of its stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import apps
from tests.browser.apps import ends, press
from tests.browser.test_looks import CONTRAST, PHONE, XSS
from tests.engine import graphs

Open = Callable[..., Page]
WORD = "W" * 200


def hostile(words: str) -> dict[str, Any]:
    """A workflow with words in every place that a page shows."""
    first = apps.start(
        topic={"type": "paragraph", "label": words, "description": words, "default": words},
        choice={"type": "select", "label": "Choice", "options": [words, "other"], "default": words},
    )
    broken = graphs.llm("broken", "{{#start.topic#}}", error=words)
    broken["data"].update(title=words, error_strategy="default-value")
    broken["data"]["default_value"] = [{"key": "text", "type": "string", "value": words}]
    return apps.line(first, broken, graphs.llm("write", "{{#start.topic#}}"), result=["write", "text"])


def test_markup_in_names_inputs_errors_and_answers_stays_words(signed_in: Open) -> None:
    page = signed_in(apps.add(hostile(XSS), XSS, description=XSS, tags=[XSS]))
    press(page, "Run")
    ends(page, "partial-succeeded")
    page.locator("#raw summary").click()
    expect(page.locator("#raw .number").first).to_be_visible()
    for place in ("h1", ".outputs dd", ".step .name", ".step .why", "#runs .what", "#raw", "svg title"):
        expect(
            page.locator(place).filter(has_text=XSS).first if place != "#raw" else page.locator(place)
        ).to_contain_text("onerror=alert(1)")
    assert page.locator("img, main script, iframe").count() == 0
    page.reload()
    ends(page, "partial-succeeded")
    assert page.locator("img, main script, iframe").count() == 0
    talk = graphs.chat_document()
    page.goto(apps.add(talk | {"features": {"opening_statement": XSS, "suggested_questions": [XSS]}}, "Talk"))
    page.get_by_role("button", name=XSS).click()
    press(page, "Send")
    ends(page)
    expect(page.locator(".turn .said")).to_have_text(XSS)
    expect(page.locator(".turn .answer")).to_have_text(f"echo: {XSS}")
    assert page.locator("img, main script, iframe").count() == 0


@pytest.mark.parametrize("name", ["hostile", "triage", "ask"])
def test_an_app_on_a_phone_never_scrolls_sideways(signed_in: Open, name: str, tmp_path: Path) -> None:
    address = apps.add(hostile(WORD), "N" * 150, tags=["T" * 60]) if name == "hostile" else apps.example(name)
    page = signed_in(address, **PHONE)
    fits(page)
    if name == "triage":
        page.get_by_label("Report").fill(WORD)
        page.get_by_label("Severity").select_option("high")
    if name == "ask":
        page.get_by_label("Say something").fill(WORD)
    press(page, "Send" if name == "ask" else "Run")
    ends(page, "partial-succeeded" if name == "hostile" else "succeeded")
    page.locator("#raw summary").click()
    expect(page.locator("#raw .number").first).to_be_visible()
    fits(page)
    page.screenshot(path=tmp_path / "phone.png", full_page=True)


def fits(page: Page) -> None:
    """Nothing is wider than the phone, and what is pressed is large enough."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    heights = page.evaluate(
        "[...document.querySelectorAll('main button, main input, main select, #runs a')]"
        ".filter(e => e.offsetParent && e.type !== 'checkbox').map(e => e.getBoundingClientRect().height)"
    )
    assert heights
    assert all(height >= 44 for height in heights)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_of_a_run_stand_out_from_their_background(signed_in: Open, scheme: str) -> None:
    page = signed_in(apps.add(hostile("Words"), "Trial", tags=["tag"], description="What it does"), color_scheme=scheme)
    assert page.evaluate(CONTRAST) == [], "WCAG 1.4.3 asks for 4.5 to 1"
    press(page, "Run")
    ends(page, "partial-succeeded")
    page.locator("#raw summary").click()
    expect(page.locator("#raw .number").first).to_be_visible()
    page.mouse.move(0, 0)
    weak = page.evaluate(CONTRAST.replace("querySelectorAll('body *')", "querySelectorAll('body *:not(svg *)')"))
    assert weak == []
    drawn = page.evaluate(DRAWN)
    assert drawn == [], "words in the picture"


def test_every_field_has_a_name_and_there_is_one_heading(signed_in: Open) -> None:
    page = signed_in(apps.example("rewrite"))
    assert page.locator("h1").count() == 1
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(UNDESCRIBED) == []


def test_the_reader_of_streams_takes_bytes_cut_anywhere(signed_in: Open) -> None:
    page = signed_in(apps.example("ask"))
    assert page.evaluate(CUTS) == []


NAMELESS = """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
  .filter(field => !field.labels.length).map(field => field.outerHTML)"""
UNDESCRIBED = """() => [...document.querySelectorAll('[aria-describedby]')]
  .flatMap(field => field.getAttribute('aria-describedby').split(' ')).filter(id => !document.getElementById(id))"""

# Fill of a text against the fill of the box behind it, by the same measure as CONTRAST.
DRAWN = """() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = rgb(c).map(linear); return .2126 * r + .7152 * g + .0722 * b; };
  return [...document.querySelectorAll('svg .node text')].filter(t => t.textContent).map(t => {
    const behind = getComputedStyle(t.parentElement.querySelector('rect')).fill;
    const [a, b] = [light(getComputedStyle(t).fill), light(behind)].sort((x, y) => y - x);
    return [t.textContent, (a + .05) / (b + .05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""

# The same stream, cut into two at every place and into single bytes, must give the same frames.
CUTS = """async () => {
  const { Frames } = await import('/static/apps/frames.js');
  const text = '\\ufeffretry: 250\\n\\nevent: ping\\n\\n: comment\\nid: 1\\r\\ndata: {"a":"🐝 蜜"}\\r\\n\\r\\n' +
    'id:2\\rdata: one\\rdata: two\\r\\rdata\\n\\nid: 3\\ndata:  spaced\\n\\nretry: no\\ndata: cut off';
  const wanted = JSON.stringify([{ retry: 250 }, { id: '1', data: '{"a":"🐝 蜜"}' }, { id: '2', data: 'one\\ntwo' },
    { id: '2', data: '' }, { id: '3', data: ' spaced' }]);
  const bytes = new TextEncoder().encode(text);
  const read = parts => {
    const frames = new Frames();
    return JSON.stringify(parts.flatMap(part => frames.push(part)));
  };
  const wrong = [];
  for (let at = 0; at <= bytes.length; at++) {
    const got = read([bytes.slice(0, at), bytes.slice(at)]);
    if (got !== wanted) wrong.push([at, got]);
  }
  const single = read([...bytes].map(byte => Uint8Array.of(byte)));
  if (single !== wanted) wrong.push(['bytes', single]);
  return wrong.slice(0, 3);
}"""
