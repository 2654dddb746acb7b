"""The page of a form, over a run that really waits."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine import runs
from engine.files import service as engine_files
from store import apps, files, forms
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.forms import COMMENT, review, token_of, waiting
from tests.engine.test_files import local, one_file, upload
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


def test_a_picture_that_the_run_was_given_is_seen_in_its_form(bench: Bench, person: Person) -> None:
    definition = review(content="Is it a cat? {{#start.doc#}}")
    definition["graph"]["nodes"][0]["data"]["variables"] = [one_file()]
    app = bench.app(definition)
    run = bench.start(app, {"doc": local(upload(bench, app, "cat.png", PNG))})
    assert re.search(r'<img src="http[^"]+[?]sign=[^"]+" alt="cat.png">', person.get(token_of(bench.events(run))).text)


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


def test_an_answer_that_cannot_be_stored_now_stays_in_its_form(
    bench: Bench, person: Person, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, token = asked()

    def away(*_: Any) -> Any:
        raise Refusal("service_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr("store.forms.answer", away)
        busy = person.post(token, field__comment="a long thought")
    assert busy.status_code == 503
    assert "send it again in a moment" in busy.text
    assert "a long thought</textarea>" in busy.text
    assert person.post(token, field__comment="a long thought").status_code == 200
    assert bench.events(run, None)[-1]["data"]["outputs"]["comment"] == "a long thought"


def test_line_ends_are_those_that_people_mean(bench: Bench, person: Person, asked: Asked) -> None:
    run, token = asked()
    person.post(token, field__comment="one\r\ntwo\r\n")
    assert bench.events(run, None)[-1]["data"]["outputs"]["comment"] == "one\ntwo\n"


def test_a_long_answer_is_taken_and_one_beyond_a_megabyte_is_not(bench: Bench, person: Person, asked: Asked) -> None:
    run, token = asked()
    assert person.post(token, field__comment="x" * 1_100_000).status_code == 413
    assert person.post(token, field__comment="x" * 500_000).status_code == 200
    assert len(bench.events(run, None)[-1]["data"]["outputs"]["comment"]) == 500_000


FILE = {"type": "file", "output_variable_name": "scan", "allowed_file_types": ["document"]}
FILES = {**FILE, "type": "file-list", "output_variable_name": "scans", "number_limits": 2}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def chosen(name: str = "bees.txt", content: bytes = b"Bees dance.", kind: str = "text/plain") -> Any:
    """A file as a browser sends it."""
    return io.BytesIO(content), name, kind


def held(tmp_path: Path) -> list[bytes]:
    """The content of every file in the storage."""
    return [path.read_bytes() for path in (tmp_path / "files").rglob("*") if path.is_file()]


def test_files_come_with_the_answer_and_belong_to_who_started_the_run(
    bench: Bench, person: Person, asked: Asked, tmp_path: Path
) -> None:
    run, token = asked(inputs=[COMMENT, FILE, FILES])
    page = person.get(token).text
    assert 'enctype="multipart/form-data"' in page
    assert "Documents, up to 15 MB each, no more than 2 files." in page
    several = [chosen("a.md", b"A"), chosen("b.txt", b"B")]
    ok = person.post(token, field__comment="see", file__scan=chosen(), file__scans=several)
    assert ok.status_code == 200, ok.text
    events = bench.events(run)
    filled = next(event["data"]["submitted_data"] for event in events if event["event"] == "human_input_form_filled")
    assert (filled["scan"]["filename"], filled["scan"]["type"]) == ("bees.txt", "document")
    assert [one["filename"] for one in filled["scans"]] == ["a.md", "b.txt"]
    assert files.visible(bench.caller, run.app_id, filled["scan"]["related_id"]) is not None
    assert sorted(held(tmp_path)) == [b"A", b"B", b"Bees dance."]
    assert files.unused_bytes(run, timedelta(days=1)) == 0, "they are kept as long as the run's files are"


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["custom"], ".txt, .mp3, up to 50 MB."),
        (["image"], "Images, up to 10 MB."),
        (["image", "document"], "Images, documents, up to 15 MB."),
        ([], "Any kind, up to 100 MB."),
    ],
)
def test_a_field_tells_what_it_takes(person: Person, asked: Asked, kinds: list[str], told: str) -> None:
    about = {"allowed_file_types": kinds, "allowed_file_extensions": ["TXT", ".mp3"]}
    assert told in person.get(asked(inputs=[{**FILE, **about}])[1]).text


@pytest.mark.parametrize(
    ("fields", "name", "told"),
    [
        ({}, "scan", "This is needed."),
        ({"file__scan": chosen("")}, "scan", "This is needed."),
        ({"file__scan": chosen("a.png", PNG, "image/png")}, "scan", "a.png is of a kind that is not taken here."),
        ({"file__scan": chosen("a.pdf", b"no")}, "scan", "The content is not that of a &#39;pdf&#39; file."),
        (
            {"file__scan": chosen("a.txt", b"x" * (15 * 2**20 + 1))},
            "scan",
            "A file of this kind may have at most 15 MB.",
        ),
        ({"file__scan": chosen("a/b.txt")}, "scan", "The file name may hold neither slashes nor control characters."),
        ({"file__scan": [chosen(), chosen()]}, "scan", "No more than 1 file is taken."),
        ({"file__scan": chosen(), "url__scan": "https://a.example/b.txt"}, "scan", "No more than 1 file is taken."),
        ({"url__scan": "file:///etc/passwd"}, "scan", "Invalid file url"),
        ({"url__scan": "http://127.0.0.1/x"}, "scan", "Invalid file url: "),
        ({"file__scan": chosen(), "file__scans": [chosen()] * 3}, "scans", "No more than 2 files are taken."),
        ({"file__scan": chosen(), "url__scans": "x"}, "scans", "Invalid file url"),
    ],
)
def test_a_file_that_is_not_taken_is_told_at_its_field_and_nothing_is_kept(
    person: Person, asked: Asked, tmp_path: Path, fields: Any, name: str, told: str
) -> None:
    run, token = asked(inputs=[FILE, FILES])
    page = person.post(token, **copies(fields))
    assert page.status_code == 400
    assert f'<span class="wrong" id="f-{name}-wrong">{told}' in page.text
    assert held(tmp_path) == []
    assert waiting(run.id)


def test_a_file_is_not_kept_when_anything_else_was_wrong_or_the_answer_came_too_late(
    bench: Bench, person: Person, asked: Asked, tmp_path: Path
) -> None:
    _, token = asked(inputs=[FILE, CHOICE])
    page = person.post(token, file__scan=chosen(), field__how_much="")
    assert page.status_code == 400
    assert "Choose your files again." in page.text
    assert held(tmp_path) == []
    assert person.post(token, file__scan=chosen(content=b"first"), field__how_much="0").status_code == 200
    assert person.post(token, file__scan=chosen(content=b"late"), field__how_much="0").status_code == 412
    assert held(tmp_path) == [b"first"]


def test_of_twenty_answers_with_a_file_at_once_one_is_taken_and_one_file_is_kept(
    bench: Bench, person: Person, asked: Asked, tmp_path: Path
) -> None:
    run, token = asked(inputs=[FILE])
    app = person.client.application

    def give(number: int) -> int:
        mine = Person(app.test_client())
        return mine.post(token, file__scan=chosen(content=str(number).encode())).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(give, range(20)))
    assert answers == [200] + [412] * 19
    (kept,) = held(tmp_path)
    assert bench.events(run, None)[-1]["data"]["status"] == "succeeded"
    assert kept.isdigit()


def test_a_page_takes_no_file_by_its_id(bench: Bench, person: Person, asked: Asked) -> None:
    run, token = asked(inputs=[FILE])
    app = apps.for_operator_get(run.app_id)
    assert app is not None
    taken = engine_files.current().take(app, run, io.BytesIO(b"x"), 1, name="a.txt", claimed="text/plain")
    named = json.dumps({"transfer_method": "local_file", "upload_file_id": taken.id})
    for fields in ({"field__scan": named}, {"file__scan": named}, {"field__scan": taken.id}):
        assert person.post(token, **fields).status_code == 400
    assert waiting(run.id)


@pytest.mark.parametrize("inputs", [[COMMENT], [{**FILE, "allowed_file_upload_methods": ["remote_url"]}]])
def test_a_form_that_takes_no_uploads_reads_none(person: Person, asked: Asked, tmp_path: Path, inputs: Any) -> None:
    _, token = asked(inputs=inputs)
    assert 'type="file"' not in person.get(token).text
    assert person.post(token, file__scan=chosen(content=b"x" * 2_000_000)).status_code == 413
    assert person.post(token, file__scan=chosen()).status_code == 400
    assert held(tmp_path) == []


def copies(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with files that nobody has read yet."""

    def copy(value: Any) -> Any:
        if isinstance(value, list):
            return [copy(one) for one in value]
        return (io.BytesIO(value[0].getvalue()), *value[1:]) if isinstance(value, tuple) else value

    return {name: copy(value) for name, value in fields.items()}


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
