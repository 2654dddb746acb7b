"""The sample apps are what they say they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.definition.reading import CURRENT_VERSION, load
from engine.inputs.declared import check
from engine.inputs.schema import input_schema
from engine.nodes.kinds import KINDS

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yml"))


def test_there_is_one_example_for_each_mode() -> None:
    assert {load(file.read_bytes()).mode for file in EXAMPLES} == {
        "workflow", "advanced-chat", "chat", "completion", "agent-chat",
    }  # fmt: skip
    assert len(EXAMPLES) == 7


def test_the_examples_have_names_of_their_own() -> None:
    names = [load(file.read_bytes()).name for file in EXAMPLES]
    assert sorted(names) == ["Ask", "Greeter", "Planner", "Review", "Rewrite", "Summarise", "Triage"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_current_explained_and_needs_no_key(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# ")
    definition = load(text)
    assert definition.warnings == []
    assert definition.version == CURRENT_VERSION
    assert definition.description
    assert "provider: echo, name: echo" in text or "model:" not in text


def test_triage_has_a_branch_a_loop_and_an_iteration() -> None:
    definition = load((EXAMPLES[0].parent / "triage.yml").read_bytes())
    kinds = {node["data"]["type"] for node in definition.document["graph"]["nodes"]}
    assert {"if-else", "loop", "iteration", "llm", "template-transform"} <= kinds


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("summarise", {"text": "A long story"}),
        ("ask", {}),
        ("triage", {"report": "Fire", "severity": "high"}),
        ("greeter", {"name": "Ada"}),
        ("rewrite", {"query": "Text", "readers": "children", "emoji": True}),
        ("planner", {"steps": 3}),
    ],
)
def test_an_example_takes_its_obvious_inputs(name: str, inputs: dict[str, object]) -> None:
    document = load((EXAMPLES[0].parent / f"{name}.yml").read_bytes()).document
    assert check(document, inputs).items() >= inputs.items()
    schema = input_schema(document)
    body = {"inputs": inputs, **({"query": "Hello"} if "query" in schema["properties"] else {})}
    Draft202012Validator(schema).validate(body)


def test_the_documents_name_each_type_of_node_that_runs() -> None:
    table = (EXAMPLES[0].parents[1] / "docs" / "apps.md").read_text().split("## Nodes")[1].split("##")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row[1])}
    assert named == {str(kind) for kind in KINDS if not kind.startswith("easy-")}
