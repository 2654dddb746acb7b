"""The page of a form, over a run that really waits."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine import runs
from store import forms
from tests.engine.conftest import Bench
from tests.engine.forms import COMMENT, review, token_of
from tests.engine.test_human_input import Later, later
from web.pages import create_pages

__all__ = ["later"]

ORIGIN = "http://pages.test"
CHOICE = {"type": "select", "output_variable_name": "how_much", "option_source": {"value": ["<b>", "b & c", "0"]}}


class Person:
    """Somebody with a browser, who is not signed in."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, token: str) -> TestResponse:
        return self.client.get(f"/form/{token}", base_url=ORIGIN)

    def post(self, token: str, action: str = "approve", **fields: Any) -> TestResponse:
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        sent = {"action": action, **{name.replace("__", ".", 1): value for name, value in fields.items()}}
        return self.client.post(f"/form/{token}", data=sent, headers=headers, base_url=ORIGIN)


Asked = Callable[..., tuple[Any, str]]


@pytest.fixture
def person() -> Person:
    return Person(create_pages(ORIGIN, "s", lambda e: "127.0.0.1").test_client())


@pytest.fixture
def asked(bench: Bench) -> Asked:
    """Starts a run that waits; the run, and the token of its form."""

    def start(**data: Any) -> tuple[Any, str]:
        run = bench.start(bench.app(review(**data)))
        return run, token_of(bench.events(run))

    return start


def test_a_form_is_shown_escaped_and_answered_once_in_its_page(bench: Bench, person: Person, asked: Asked) -> None:
    run, token = asked(content="<b>x</b>\n\n**second**")
    page = person.get(token)
    assert page.status_code == 200
    assert "&lt;b&gt;x" in page.text
    assert "<strong>second</strong>" in page.text
    assert "Approve" in page.text
    bad = person.post(token, "nope", field__comment="a")
    assert bad.status_code == 400
    assert "Invalid action" in bad.text
    ok = person.post(token, field__comment="a")
    assert ok.status_code == 200
    assert "Thank you" in ok.text
    assert "<bdi>Approve</bdi>" in ok.text
    assert bench.events(run, None)[-1]["data"]["outputs"]["comment"] == "a"
    again = person.get(token)
    assert again.status_code == 412
    assert "has been answered" in again.text
    assert person.post(token, field__comment="b").status_code == 412


def test_a_field_stands_where_the_text_marks_it_and_the_others_after_it(person: Person, asked: Asked) -> None:
    other = {**COMMENT, "output_variable_name": "other"}
    content = "Before {{#$output.comment#}} after, and {{#$output.comment#}} again, {{#$output.unknown#}}."
    _, token = asked(content=content, inputs=[other, COMMENT])
    page = person.get(token).text
    assert re.findall(r'name="field\.(\w+)"', page) == ["comment", "other"]
    assert page.index("Before") < page.index('name="field.comment"') < page.index("after, and <em>Comment</em> again")
    assert page.index("again, .") < page.index('name="field.other"')


def test_defaults_are_filled_in_and_a_choice_is_asked_for(person: Person, asked: Asked) -> None:
    comment = {**COMMENT, "default": {"type": "constant", "selector": [], "value": "</textarea><script>"}}
    _, token = asked(inputs=[comment, CHOICE])
    page = person.get(token).text
    assert "\n&lt;/textarea&gt;&lt;script&gt;</textarea>" in page
    assert '<option value="">Choose</option>' in page
    assert '<option value="&lt;b&gt;" >&lt;b&gt;</option>' in page


def test_what_was_wrong_is_told_at_its_field_and_nothing_typed_is_lost(person: Person, asked: Asked) -> None:
    _, token = asked(inputs=[COMMENT, CHOICE])
    page = person.post(token, field__comment="kept\r\n<b>", field__how_much="")
    assert page.status_code == 400
    assert "<title>Not taken: Review" in page.text
    assert "\nkept\r\n&lt;b&gt;</textarea>" in page.text
    field = re.search(r'<select id="f-how_much"[^>]*>', page.text)
    assert field is not None
    assert 'aria-describedby="f-how_much-wrong"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert '<span class="wrong" id="f-how_much-wrong">Choose one of the options.</span>' in page.text
    assert page.text.count("aria-invalid") == 1
    missing = person.post(token, field__comment="kept").text
    assert '<span class="wrong" id="f-how_much-wrong">This is needed.</span>' in missing
    chosen = person.post(token, "nope", field__comment="kept", field__how_much="b & c").text
    assert '<option value="b &amp; c" selected>' in chosen


def test_line_ends_are_those_that_people_mean(bench: Bench, person: Person, asked: Asked) -> None:
    run, token = asked()
    person.post(token, field__comment="one\r\ntwo\r\n")
    assert bench.events(run, None)[-1]["data"]["outputs"]["comment"] == "one\ntwo\n"


def test_a_long_answer_is_taken_and_one_beyond_a_megabyte_is_not(bench: Bench, person: Person, asked: Asked) -> None:
    run, token = asked()
    assert person.post(token, field__comment="x" * 1_100_000).status_code == 413
    assert person.post(token, field__comment="x" * 500_000).status_code == 200
    assert len(bench.events(run, None)[-1]["data"]["outputs"]["comment"]) == 500_000


def test_a_form_that_ran_out_of_time_or_whose_run_was_stopped_says_so(
    bench: Bench, person: Person, asked: Asked, later: Later
) -> None:
    run, token = asked(timeout=2)
    stopped, other = asked()
    runs.stop(bench.stored(stopped))
    assert person.get(other).status_code == 412
    later.ahead = timedelta(hours=3)
    for page in (person.get(token), person.post(token, field__comment="x")):
        assert page.status_code == 412
        assert "This form has expired" in page.text
    assert [form.answer for form in forms.of_run(run.id)] == [None]
