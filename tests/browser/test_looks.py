"""The pages on a phone, in the dark, and with hostile words in every field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ask, connect

Open = Callable[..., Page]
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
XSS = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'
PAGES = ["/", "/apps", "/signin", "/device", "/device/confirm", "/devices", "/nowhere"]


@pytest.fixture
def look(visit: Open, signed_in: Open) -> Open:
    """Opens any of the pages: the sign-in page as a stranger, the others as Ada."""

    def start(path: str, **options: Any) -> Page:
        return (visit if path == "/signin" else signed_in)(full(path), **options)

    return start


def full(path: str) -> str:
    """The path, with a code where it needs one."""
    return f"{path}?user_code={ask('L' * 120, '203.0.113.9')}" if path == "/device/confirm" else path


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_never_scrolls_sideways_and_buttons_are_large(look: Open, path: str, tmp_path: Path) -> None:
    connect("W" * 120)
    page = look(path, **PHONE)
    page.screenshot(path=tmp_path / "phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    heights = page.evaluate("[...document.querySelectorAll('main button')].map(b => b.getBoundingClientRect().height)")
    assert all(height >= 44 for height in heights)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_words_stand_out_from_their_background(look: Open, path: str, scheme: str) -> None:
    connect("Desk")
    page = look(path, color_scheme=scheme)
    weak = page.evaluate(CONTRAST)
    assert weak == [], "WCAG 1.4.3 asks for 4.5 to 1"


def test_each_page_has_one_heading_a_language_and_a_name_for_each_field(signed_in: Open) -> None:
    page = signed_in("/")
    for path in PAGES:
        page.goto(full(path))
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
        nameless = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden])')].filter(i => !i.labels.length).length"
        )
        assert nameless == 0


def test_markup_in_a_label_stays_words(signed_in: Open) -> None:
    connect(XSS)
    page = signed_in(f"/device/confirm?user_code={ask(XSS)}")
    expect(page.get_by_text(XSS)).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(XSS)).to_be_visible()
    page.goto("/devices")
    expect(page.get_by_text(XSS)).to_be_visible()
    assert page.locator("main img, main script").count() == 0


def test_a_page_cannot_be_framed(visit: Open, base: str) -> None:
    page = visit("/")
    framed = page.request.get(f"{base}/signin").headers
    assert "frame-ancestors 'none'" in framed["content-security-policy"]
    assert framed["x-frame-options"] == "DENY"


# Every element with text of its own, against the nearest background that is not transparent.
CONTRAST = """() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = rgb(c).map(linear); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (rgb(c).length < 4 || rgb(c)[3] > 0) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const worded = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll('body *')].filter(worded).map(e => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    return [e.textContent.trim().slice(0, 30), (a + .05) / (b + .05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""
