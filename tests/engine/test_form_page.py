"""The page of a form, over a run that really waits."""

from __future__ import annotations

from typing import Any

from tests.engine.forms import review, token_of
from web.pages import create_pages


def test_a_form_is_shown_escaped_and_answered_once_in_its_page(bench: Any) -> None:
    run = bench.start(bench.app(review(content="<b>x</b>\n\nsecond")))
    token = token_of(bench.events(run))
    c = create_pages("http://pages.test", "s", lambda e: "127.0.0.1").test_client()
    h = {"Origin": "http://pages.test", "Sec-Fetch-Site": "same-origin"}
    page = c.get(f"/form/{token}", base_url="http://pages.test")
    assert page.status_code == 200
    assert "&lt;b&gt;x" in page.text
    assert "Approve" in page.text
    bad = c.post(
        f"/form/{token}", data={"action": "nope", "field.comment": "a"}, headers=h, base_url="http://pages.test"
    )
    assert bad.status_code == 400
    assert "Invalid action" in bad.text
    ok = c.post(
        f"/form/{token}", data={"action": "approve", "field.comment": "a"}, headers=h, base_url="http://pages.test"
    )
    assert ok.status_code == 200
    assert "Thank you" in ok.text
    assert bench.events(run, None)[-1]["data"]["outputs"]["comment"] == "a"
    again = c.get(f"/form/{token}", base_url="http://pages.test")
    assert again.status_code == 412
    assert "has been answered" in again.text
