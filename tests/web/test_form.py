"""The page of a form: it says what became of a form that cannot be answered."""

from __future__ import annotations

from tests.web.conftest import Browser


def test_an_unknown_form_is_said_to_be_unknown(browser: Browser) -> None:
    answer = browser.get("/form/nothing")
    assert answer.status_code == 404
    assert "There is no such form" in answer.get_data(as_text=True)
