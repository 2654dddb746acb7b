"""The table of models from the command line: what it says, what it refuses, whether a model answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, Shell
from tests.engine.chat_server import KEY, serving

TABLE = """
default: echo
backends:
  mine: {kind: openai, base_url: "%s", api_key_env: MY_KEY, max_retries: 0}
models:
  - {match: "langgenius/openai/*", backend: mine, model: any}
  - {match: "openai/gpt-4*", backend: mine}
"""
APP = """
app: {mode: completion, name: Poet}
kind: app
version: 0.6.0
model_config:
  pre_prompt: "Rhyme on {{word}}"
  model: {provider: %s, name: %s, mode: chat, completion_params: {}}
  user_input_form: [{text-input: {variable: word, label: Word, required: true}}]
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MY_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path)


def write(tmp_path: Path, url: str = "http://127.0.0.1:9/v1") -> str:
    file = tmp_path / "models.yaml"
    file.write_text(TABLE % url)
    return str(file)


def test_without_a_table_echo_answers_for_every_app(shell: Shell) -> None:
    shell("accounts", "create", "ada@example.com")
    assert "echo/echo → echo" in shell("apps", "import", str(ROOT / "examples" / "summarise.yml"), "-o", "json")
    rows = shell.rows("models", "list")
    assert [(r["model"], r["answered by"]) for r in rows] == [
        ("echo/*", "echo"),
        ("echo", "echo"),
        ("(any other)", "echo"),
        ("echo/echo", "echo"),
    ]
    assert rows[-1]["apps"] == ["Summarise"]


def test_an_import_and_the_check_say_who_will_answer(shell: Shell, tmp_path: Path) -> None:
    shell("accounts", "create", "ada@example.com")
    mapped, unmapped = tmp_path / "a.yml", tmp_path / "b.yml"
    mapped.write_text(APP % ("langgenius/openai/openai", "gpt-4o"))
    unmapped.write_text((APP % ("tongyi", "qwen-max")).replace("Poet", "Sage"))
    env = {"DIFYSPEC_MODELS_FILE": write(tmp_path)}
    said = shell("apps", "import", str(mapped), str(unmapped), "-o", "json", **env)
    assert "langgenius/openai/openai/gpt-4o → mine/any" in said
    assert "tongyi/qwen-max → echo (default)" in said
    checked = shell("check-config", **env)
    assert "model tongyi/qwen-max is answered by echo (default): Sage" in checked
    assert "the back end 'mine' wants a key, and the environment variable MY_KEY is empty" in checked


def test_a_check_of_the_settings_makes_no_database(shell: Shell, tmp_path: Path) -> None:
    shell("check-config")
    assert not (tmp_path / "cli.db").exists()


def test_a_model_is_tried_and_its_answer_and_cost_told(shell: Shell, tmp_path: Path) -> None:
    with serving() as chat:
        env = {"DIFYSPEC_MODELS_FILE": write(tmp_path, chat.url), "MY_KEY": KEY}
        said = shell("models", "test", "langgenius/openai/openai/gpt-4o", **env)
        assert "Hello there" in said
        assert "11 + 7 tokens" in said
        failed = shell("models", "test", "--backend", "mine", "openai/status-401", code=1, **env)
        assert failed.count("refused the server's key") == 1
        assert "Error" not in failed
        assert KEY not in said + failed
    assert "echo: What is the capital of France?" in shell("models", "test")
    assert "there is no back end 'none'" in shell("models", "test", "--backend", "none", code=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: [{match: 'a/*', backend: none}]", "models.0.backend: there is no back end 'none'"),
        ("backends: {b: {kind: openai, base_url: 'ftp://x'}}", "backends.b.base_url: must start with http"),
        ("backends: {b: {kind: openai, base_url: 'https://k:s@x/v1'}}", "must not hold credentials"),
        ("backends: {b: {kind: openai, api_key_env: 'sk-12 34'}}", "not the key itself"),
        ("backends: {b: {kind: magic}}", "backends.b.kind"),
        ("backends: {b: {kind: echo, api_key: x}}", "backends.b.api_key"),
        ("default: none", "there is no back end 'none'"),
        ("models: [", "models.yaml"),
        ("- a", "the file"),
    ],
)
def test_a_table_that_cannot_be_used_stops_the_start_and_names_the_place(
    shell: Shell, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(text)
    said = shell("check-config", code=2, DIFYSPEC_MODELS_FILE=str(file))
    assert told in said
    assert "DIFYSPEC_MODELS_FILE" in said
    assert "12 34" not in said


def test_a_file_that_is_not_there_and_a_default_nobody_knows_are_named(shell: Shell, tmp_path: Path) -> None:
    said = shell("check-config", code=2, DIFYSPEC_MODELS_FILE=str(tmp_path / "none.yaml"))
    assert "No such file" in said
    assert "known are echo, local, openai" in shell("check-config", code=2, DIFYSPEC_DEFAULT_MODEL="oracle")
