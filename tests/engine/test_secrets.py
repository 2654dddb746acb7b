"""An author's secret variables: what a run may do with them, and where they must not show."""

from __future__ import annotations

import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.definition import author_secrets
from engine.events.masking import Veil
from engine.running.sealing import Sealer
from store.refusal import Refusal
from tests.engine.conftest import Bench
from tests.engine.graphs import document, edge, llm, node, template

SECRET = "s3cret-value-of-the-author"
KEY = {"id": "k", "name": "KEY", "value_type": "secret", "value": SECRET}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_text_in_pieces_of_any_size_never_shows_a_secret(size: int) -> None:
    text = f"s s3c {SECRET} s3cret-value {SECRET}{SECRET[:5]}"
    veil = Veil([SECRET, "abc"])
    shown = [veil.pass_on("".join(piece)) for piece in itertools.batched(text, size)]
    assert "".join([*shown, veil.rest()]) == text.replace(SECRET, "******")


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


def test_a_text_without_secrets_stays_as_it_is() -> None:
    text = Path("examples/ask.yml").read_text()
    assert author_secrets.blanked(text) == text
