"""Who answers for which model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from engine.models.backend import Backend
from engine.models.table import ModelTable, Rule, load_table
from engine.models.used import models_of
from server.settings import load
from tests.engine.graphs import chat_document, document, edge, llm, node

TABLE = ModelTable(
    {"a": Backend(kind="echo"), "b": Backend(kind="openai", base_url="http://b.test/v1"), "echo": Backend(kind="echo")},
    (
        Rule(match="openai/gpt-4o", backend="a"),
        Rule(match="langgenius/openai/*", backend="b", model="small"),
        Rule(match="*/LLAMA-?", backend="b"),
    ),
    "echo",
)


@pytest.mark.parametrize(
    ("provider", "name", "who"),
    [
        ("openai", "gpt-4o", "a/gpt-4o"),
        ("langgenius/openai/openai", "gpt-4o", "a/gpt-4o"),
        ("langgenius/openai/openai", "gpt-3.5", "b/small"),
        ("ollama", "llama-3", "b/llama-3"),
        ("OLLAMA", "Llama-3", "b/Llama-3"),
        ("ollama", "llama-31", "echo/llama-31 (default)"),
        ("", "", "echo/ (default)"),
    ],
)
def test_the_first_rule_that_fits_decides(provider: str, name: str, who: str) -> None:
    choice = TABLE.choose(provider, name)
    assert f"{choice.backend_name}/{choice.model}{'' if choice.mapped else ' (default)'}" == who


def test_the_default_can_name_its_model() -> None:
    choice = ModelTable({"b": Backend(kind="openai", base_url="http://b.test/v1")}, (), "b/big/model").choose("x", "y")
    assert (choice.backend_name, choice.model) == ("b", "big/model")


def test_the_environment_of_the_library_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://ollama.test/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    choice = load_table(None, "openai").choose("any", "model")
    assert (choice.backend.base_url, choice.backend.api_key(), choice.model) == ("http://ollama.test/v1", "k", "model")


def test_the_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("default: b/m\nbackends: {b: {kind: openai, base_url: 'http://b.test'}}\nmodels: []\n")
    assert load_table(file).choose("x", "y").model == "m"
    assert load_table(file, "echo").choose("x", "y").backend.kind == "echo"


def test_the_settings_bound_an_answer_where_the_table_does_not(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("backends: {b: {kind: openai, base_url: 'http://b.test', answer_seconds: 5}}\n")
    settings = load(
        _env_file=None, models_file=file, model_answer_bytes=7, model_answer_seconds=8, model_silence_seconds=0
    )
    found = settings.model_table().backends
    told = [(one.answer_bytes, one.answer_seconds, one.timeout_seconds) for one in (found["b"], found["openai"])]
    assert told == [(7, 5, 0), (7, 8, 0)]


def test_an_unmapped_model_is_answered_by_the_default_and_says_so_once(
    bench: Any, configure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configure(models=ModelTable())
    definition = chat_document()
    definition["graph"]["nodes"][1]["data"]["model"] |= {"provider": "tongyi", "name": "qwen-max"}
    app = bench.app(definition)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert bench.events(bench.start(app))[-1]["data"]["status"] == "succeeded"
    told = [r.getMessage() for r in caplog.records if "tongyi/qwen-max" in r.getMessage()]
    assert len(told) == 1
    assert "echo (default) answers for it" in told[0]


def test_the_models_of_every_kind_of_node_are_found() -> None:
    value = {"provider": "p/q/q", "model": "m", "model_type": "llm"}
    agent = node("agent", "agent", agent_parameters={"model": {"type": "constant", "value": value}})
    graph = document([node("s", "start"), llm("l"), agent], [edge("s", "l")])
    assert models_of(graph) == [("echo", "echo"), ("p/q/q", "m")]
    assert models_of({"mode": "chat", "model_config": {"model": {"provider": "openai", "name": "x"}}}) == [
        ("openai", "x")
    ]
    assert models_of({"mode": "chat", "model_config": {}}) == []
