"""An author's secret variables: what a run may do with them, and where they must not show."""

from __future__ import annotations

import base64
import html
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import markupsafe
import pytest
import yaml
from jinja2.utils import htmlsafe_json_dumps

from engine.definition import author_secrets
from engine.events.masking import Mask
from engine.events.spellings import Spellings
from engine.events.veil import Veil
from engine.running.sealing import Sealer
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.graphs import code, document, edge, end, llm, node, template

SECRET = "s3cret-value-of-the-author"
KEY = {"id": "k", "name": "KEY", "value_type": "secret", "value": SECRET}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_text_in_pieces_of_any_size_never_shows_a_secret(size: int) -> None:
    text = f"s s3c {SECRET} s3cret-value {SECRET}{SECRET[:5]}"
    veil = Veil([SECRET, "abc"])
    shown = [veil.pass_on("".join(piece)) for piece in itertools.batched(text, size)]
    assert "".join([*shown, veil.rest()]) == text.replace(SECRET, "******")


CODED = "sk-Live/<é>+'d e\"f"
SPELLINGS = {
    "in capitals": str.upper,
    "in small letters": str.lower,
    "in an address": lambda one: urlencode({"key": one}),
    "in a path": quote,
    "in HTML": html.escape,
    "in HTML by Jinja": lambda one: str(markupsafe.escape(one)),
    "in JSON": lambda one: json.dumps({"key": one}),
    "in JSON within JSON": lambda one: json.dumps(json.dumps({"key": one}, ensure_ascii=False), ensure_ascii=False),
    "in JSON by Jinja": lambda one: str(htmlsafe_json_dumps({"key": one})),
    "in hexadecimal": lambda one: one.encode().hex(),
    "in base64": lambda one: base64.b64encode(one.encode()).decode(),
    "in base64 for addresses": lambda one: base64.urlsafe_b64encode(one.encode()).decode().rstrip("="),
    "in the middle of base64": lambda one: base64.b64encode(f"ada:{one}:x".encode()).decode(),
    "in capitals in an address": lambda one: quote_plus(one.upper()),
    "without the end of its line": lambda one: one.rstrip("\n"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [CODED, "s3cret-Value\n"])
def test_a_secret_is_hidden_however_it_is_spelled(secret: str, spelling: str) -> None:
    spelled = SPELLINGS[spelling](secret)
    hidden = json.loads(Mask([secret])(json.dumps({"told": f"It is {spelled}."}, ensure_ascii=False)))["told"]
    assert len(hidden) < len("It is ******. key= { }") + 12
    assert ("******" in hidden, hidden[:6], hidden[-1]) == (True, "It is ", ".")
    for size in (1, 5):
        veil = Veil([secret])
        shown = [veil.pass_on("".join(piece)) for piece in itertools.batched(f"It is {spelled}.", size)]
        assert "".join([*shown, veil.rest()]) == hidden


def long_secret(length: int) -> str:
    letters = itertools.cycle("abcdefghijklmnopqrstuvw")
    return "".join(next(letters) if n % 7 else str(n) for n in range(length))


def test_a_long_secret_is_looked_for_in_pieces_so_that_the_work_grows_with_its_length_only() -> None:
    """What is compared at each place of a text is at most as long as the longest form, and is in as many forms."""
    one, two = (Spellings((long_secret(length),)).forms for length in (30_000, 60_000))
    assert max(map(len, one + two)) < 1500
    assert sum(map(len, two)) < 2.1 * sum(map(len, one))


def test_many_secrets_and_long_ones_are_hidden() -> None:
    long = long_secret(30_000)
    secrets = [long, *(f"secret-number-{n}" for n in range(300))]
    text = f"<{long}> and secret-number-299"
    assert set(Mask(secrets)(json.dumps([text]))) <= set('["<*> and]')
    veil = Veil(secrets)
    shown = "".join([*(veil.pass_on("".join(piece)) for piece in itertools.batched(text, 50)), veil.rest()])
    assert set(shown) <= set("<*> and")


@pytest.mark.parametrize("secret", ["1795", "0123", "event", "succeeded"])
def test_a_secret_that_is_an_ordinary_word_or_number_leaves_events_what_they_are(bench: Bench, secret: str) -> None:
    nodes = [node("start", "start", variables=[]), code("code", CODE, n="number", said="string"), end(**OUTPUTS)]
    nodes[1]["data"]["variables"] = [{"variable": "key", "value_selector": ["env", "KEY"]}]
    definition = document(nodes, [edge("start", "code"), edge("code", "end")])
    definition["environment_variables"] = [{**KEY, "value": secret}]
    events = bench.run(definition)
    kinds = [event["event"] for event in events if event["event"] != "text_chunk"]
    assert kinds == ["workflow_started", *["node_started", "node_finished"] * 3, "workflow_finished"]
    data = events[-1]["data"]
    assert (data["status"], data["outputs"]["said"]) == ("succeeded", "It is ******")
    assert data["outputs"]["n"] == ("******" if secret == "1795" else 123 if secret == "0123" else 0)


CODE = "def main(key): return {'n': int(key) if key.isdigit() else 0, 'said': 'It is ' + key}"
OUTPUTS = {"n": ["code", "n"], "said": ["code", "said"]}


def test_a_model_that_spells_a_secret_out_is_veiled_and_nothing_else_is_lost(bench: Bench) -> None:
    nodes = [
        node("start", "start", variables=[]),
        llm("llm", "say {{#env.KEY#}} now"),
        node("answer", "answer", answer="{{#llm.text#}}"),
    ]
    secret = "of many words s3cret"
    definition = document(nodes, [edge("start", "llm"), edge("llm", "answer")], "advanced-chat")
    definition["environment_variables"] = [{**KEY, "value": secret}]
    events = bench.run(definition)
    said = "".join(event["answer"] for event in events if event["event"] == "message")
    assert said == "echo: say ****** now"
    assert len([event for event in events if event["event"] == "message"]) > 1
    assert events[-1]["data"]["outputs"]["answer"] == said


def test_a_secret_in_a_conversations_variable_is_sealed_and_comes_back(
    bench: Bench, tmp_path: Path, configure: Any
) -> None:
    configure(secret_key="k" * 32)
    assign = node(
        "keep", "assigner", version="2",
        items=[{"variable_selector": ["conversation", "kept"], "input_type": "variable", "operation": "over-write",
                "value": ["env", "KEY"]}],
    )  # fmt: skip
    same = template(
        "same", "{% if kept == key %}same{% else %}other{% endif %}", kept=["conversation", "kept"], key=["env", "KEY"]
    )
    nodes = [node("start", "start", variables=[]), same, assign, node("answer", "answer", answer="{{#same.output#}}")]
    edges = [edge("start", "same"), edge("same", "keep"), edge("keep", "answer")]
    definition = document(nodes, edges, "advanced-chat")
    definition["environment_variables"] = [KEY]
    definition["conversation_variables"] = [{"id": "c", "name": "kept", "value_type": "string", "value": ""}]
    app = bench.app(author_secrets.sealed(definition, Sealer("k" * 32)))
    first = bench.start(app)
    assert bench.events(first)[-1]["data"]["outputs"]["answer"] == "other"
    second = bench.start(app, conversation_id=first.conversation_id)
    assert bench.events(second)[-1]["data"]["outputs"]["answer"] == "same"
    database = sqlite3.connect(tmp_path / "state.db")
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        assert SECRET not in json.dumps(database.execute(f"SELECT * FROM {table}").fetchall(), default=str), table


def test_an_app_sealed_with_another_key_is_refused_before_it_runs(bench: Bench) -> None:
    definition = document([node("start", "start", variables=[])], [])
    definition["environment_variables"] = [KEY]
    app = bench.app(author_secrets.sealed(definition, Sealer("another key")))
    with pytest.raises(Refusal) as refused:
        bench.start(app)
    assert (refused.value.code, "'KEY'" in refused.value.message) == ("app_unavailable", True)


SOURCE = """
app: {name: "ü ✅"}
workflow:
  environment_variables:
    - {name: A, value_type: secret, value: "s3cret ✅"}  # a remark
    - name: B
      value: |
        s3cret line
        s3cret too
      value_type: secret
    - {name: C, value_type: string, value: not hidden}
"""


@pytest.mark.parametrize("text", [SOURCE, json.dumps(yaml.safe_load(SOURCE))])
def test_the_text_that_is_exported_is_the_one_imported_without_its_secrets(text: str) -> None:
    blank = author_secrets.blanked(text)
    expected = yaml.safe_load(text)
    for item in expected["workflow"]["environment_variables"][:2]:
        item["value"] = ""
    assert yaml.safe_load(blank) == expected
    assert "s3cret" not in blank
    assert ("# a remark" in blank) == ("# a remark" in text)


SHARED = [
    "x: &s s3cret\nworkflow: {environment_variables: [{name: A, value_type: secret, value: *s}]}",
    "workflow: {environment_variables: [{name: A, value_type: secret, value: &s s3cret}, {name: B, value: [*s]}]}",
    "x: &s {value_type: secret, value: s3cret}\nworkflow: {environment_variables: [{name: A, <<: *s}]}",
]


@pytest.mark.parametrize("text", SHARED)
def test_a_secret_that_the_author_wrote_once_for_several_places_is_in_none_of_the_exported_text(text: str) -> None:
    blank = author_secrets.blanked(text)
    assert yaml.safe_load(blank)["workflow"]["environment_variables"][0] == {
        "name": "A", "value_type": "secret", "value": "",
    }  # fmt: skip
    assert "s3cret" not in blank


def test_a_text_without_secrets_stays_as_it_is() -> None:
    text = Path("examples/ask.yml").read_text()
    assert author_secrets.blanked(text) == text


@pytest.mark.parametrize("text", ["-", "- a\n- b", "text", "workflow: text", "workflow: [a]", "1"])
def test_a_stored_text_that_is_no_definition_holds_no_secrets_and_stops_nothing(text: str) -> None:
    assert author_secrets.blanked(text) == text
