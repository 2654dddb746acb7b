"""Models behind the chat completions protocol, over real HTTP: what is asked, what arrives, what goes wrong."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx2
import openai
import pytest
from graphon.model_runtime.entities.message_entities import (
    AssistantPromptMessage,
    ImagePromptMessageContent,
    PromptMessage,
    PromptMessageTool,
    SystemPromptMessage,
    TextPromptMessageContent,
    ToolPromptMessage,
    UserPromptMessage,
    VideoPromptMessageContent,
)
from graphon.model_runtime.errors.invoke import (
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeConnectionError,
    InvokeError,
    InvokeRateLimitError,
    InvokeServerUnavailableError,
)

from engine import runs
from engine.models.backend import Backend
from engine.models.errors import KeyMissing, ModelMissing, QuotaSpent
from engine.models.openai_errors import wait_of
from engine.models.registry import adapter
from engine.models.table import Choice, ModelTable, Rule
from engine.running.cancel import Cancelled, CancelToken
from tests.engine.chat_server import KEY, ChatServer, serving
from tests.engine.graphs import chat_document, document, edge, end, llm, node
from tests.engine.web_server import listening
from tests.waiting import HANG

WEATHER = PromptMessageTool(
    name="weather",
    description="The weather of a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "age": {"type": "integer"}}}


@pytest.fixture(scope="module")
def running() -> Iterator[ChatServer]:
    with serving() as server:
        yield server


@pytest.fixture
def chat(running: ChatServer, monkeypatch: pytest.MonkeyPatch) -> ChatServer:
    """A strict server that was asked nothing yet; the variable CHAT_KEY holds its key."""
    monkeypatch.setenv("CHAT_KEY", KEY)
    running.forget()
    return running


def model(chat: ChatServer, name: str = "any", cancel: CancelToken | None = None, **settings: Any) -> Any:
    backend = Backend(kind="openai", base_url=chat.url, api_key_env="CHAT_KEY", **settings)
    return adapter(Choice("mine", backend, name, True), "openai", {}, cancel or CancelToken())


def ask(
    asked: Any, said: list[PromptMessage] | str = "Hi", tools: list[PromptMessageTool] | None = None, **parameters: Any
) -> Any:
    messages = [UserPromptMessage(content=said)] if isinstance(said, str) else said
    return asked.invoke_llm(
        prompt_messages=messages, model_parameters=parameters, tools=tools, stop=["END"], stream=False
    )


def table(chat: ChatServer, name: str = "any", **settings: Any) -> ModelTable:
    backend = Backend(kind="openai", base_url=chat.url, api_key_env="CHAT_KEY", **settings)
    return ModelTable({"mine": backend}, (Rule(match="*", backend="mine", model=name),), "mine")


def test_it_answers_with_the_text_and_the_usage_of_the_server(chat: ChatServer) -> None:
    result = ask(model(chat))
    assert result.message.content == "Hello there"
    assert (result.usage.prompt_tokens, result.usage.completion_tokens, result.usage.total_tokens) == (11, 7, 18)
    assert chat.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("name", ["no-usage", "odd-usage"])
def test_without_usage_the_tokens_are_estimated(chat: ChatServer, name: str) -> None:
    usage = ask(model(chat, name)).usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens == 2


def test_without_a_key_none_is_sent(chat: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAT_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-server")
    ask(model(chat))
    assert chat.keys == [None]


@pytest.mark.parametrize(("given", "sent"), [(["A", "", 5, "B"], ["A", "B"]), ("A", ["A"]), ("", None)])
def test_a_run_ends_answers_where_its_app_says(
    chat: ChatServer, bench: Any, configure: Any, given: Any, sent: list[str] | None
) -> None:
    configure(models=table(chat))
    definition = chat_document()
    definition["graph"]["nodes"][1]["data"]["model"]["completion_params"] = {"stop": given, "temperature": 0.5}
    bench.run(definition)
    assert (chat.requests[0].get("stop"), chat.requests[0]["temperature"]) == (sent, 0.5)


def test_it_sends_what_the_protocol_knows_of_the_parameters(chat: ChatServer) -> None:
    asked = model(chat, pass_parameters=("user",), rename_parameters={"max_tokens": "max_completion_tokens"})
    ask(asked, temperature=0.5, max_tokens=9, top_k=3, delay_ms=4, user="u", seed=None, tools=[])
    assert chat.requests[0] == {
        "model": "any",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "max_completion_tokens": 9,
        "user": "u",
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_it_sends_what_the_operator_passes_beside_the_protocol(chat: ChatServer) -> None:
    asked = model(chat, pass_parameters=("top_k",), rename_parameters={"seed": "random_seed"})
    with pytest.raises(InvokeBadRequestError, match=r"\(HTTP 400\): Unrecognized request argument supplied"):
        ask(asked, top_k=3, seed=4, min_p=5)
    assert {name: chat.requests[0].get(name) for name in ("top_k", "random_seed", "min_p")} == {
        "top_k": 3, "random_seed": 4, "min_p": None,
    }  # fmt: skip


def test_every_role_and_an_image_are_told_in_the_words_of_the_protocol(chat: ChatServer) -> None:
    pixel = base64.b64encode(b"png").decode()
    call = AssistantPromptMessage.ToolCall(
        id="a",
        type="function",
        function=AssistantPromptMessage.ToolCall.ToolCallFunction(name="weather", arguments="{}"),
    )
    messages: list[PromptMessage] = [
        SystemPromptMessage(content="Be brief."),
        UserPromptMessage(
            content=[
                TextPromptMessageContent(data="What is this?"),
                ImagePromptMessageContent(
                    format="png", mime_type="image/png", base64_data=pixel, detail=ImagePromptMessageContent.DETAIL.HIGH
                ),
                ImagePromptMessageContent(format="png", mime_type="image/png", url="https://files.test/a.png"),
            ]
        ),
        AssistantPromptMessage(content="<think>Hm.</think>\nLet me look.", tool_calls=[call]),
        ToolPromptMessage(content="sunny", tool_call_id="a"),
    ]
    ask(model(chat), messages, [WEATHER])
    assert chat.requests[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "https://files.test/a.png", "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "a"},
    ]
    assert chat.requests[0]["tools"][0]["function"]["name"] == "weather"


def test_a_video_is_refused_before_anything_is_sent(chat: ChatServer) -> None:
    video = VideoPromptMessageContent(format="mp4", mime_type="video/mp4", url="https://files.test/a.mp4")
    with pytest.raises(InvokeBadRequestError, match="video"):
        ask(model(chat), [UserPromptMessage(content=[video])])
    assert chat.requests == []


@pytest.mark.parametrize("name", ["tools", "tools-all-zero"])
def test_tool_calls_are_put_together_from_their_pieces(chat: ChatServer, name: str) -> None:
    calls = ask(model(chat, name), tools=[WEATHER]).message.tool_calls
    assert [(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls] == [
        ("a", "weather", {"city": "Bern"}),
        ("b", "time", {}),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("thinks", "<think>Let me see.</think>\nSo."),
        ("thinks-too", "<think>Hm.</think>\nSo."),
        ("only-thinks", "<think>Hm.</think>\n"),
        ("refuses", "I cannot help with that."),
    ],
)
def test_thoughts_and_refusals_are_in_the_text(chat: ChatServer, name: str, text: str) -> None:
    assert ask(model(chat, name)).message.content == text


def structured(asked: Any, schema: dict[str, Any] | None = None) -> Any:
    pieces = asked.invoke_llm_with_structured_output(
        prompt_messages=[UserPromptMessage(content="Who?")],
        json_schema=schema or SCHEMA,
        model_parameters={},
        stop=None,
        stream=True,
    )
    return [p.structured_output for p in pieces][-1]


@pytest.mark.parametrize("name", ["json", "sloppy-json"])
def test_structured_output_is_read_from_the_answer(chat: ChatServer, name: str) -> None:
    assert structured(model(chat, name)) == {"city": "Bern", "age": 40}
    wanted = chat.requests[0]["response_format"]
    assert (wanted["type"], wanted["json_schema"]["schema"], wanted["json_schema"]["strict"]) == (
        "json_schema",
        SCHEMA,
        False,
    )


def test_a_closed_schema_is_asked_for_strictly(chat: ChatServer) -> None:
    structured(model(chat, "json"), {**SCHEMA, "required": ["city", "age"], "additionalProperties": False})
    assert chat.requests[0]["response_format"]["json_schema"]["strict"] is True


def test_a_server_without_response_formats_is_told_the_schema_in_words(chat: ChatServer) -> None:
    assert structured(model(chat, "json", features=("tools",))) == {"city": "Bern", "age": 40}
    assert "response_format" not in chat.requests[0]
    assert json.dumps(SCHEMA) in chat.requests[0]["messages"][0]["content"]


def test_an_answer_that_is_no_json_is_a_parse_error(chat: ChatServer) -> None:
    asked = model(chat, "no-json")
    with pytest.raises(json.JSONDecodeError) as caught:
        structured(asked)
    assert asked.is_structured_output_parse_error(caught.value)


FAILURES: dict[str, tuple[type[Exception], str]] = {
    "status-400": (InvokeBadRequestError, "refused the request (HTTP 400)"),
    "status-401": (InvokeAuthorizationError, "refused the server's key (HTTP 401)"),
    "status-403": (InvokeAuthorizationError, "refused the server's key (HTTP 403)"),
    "status-404": (InvokeBadRequestError, "refused the request (HTTP 404)"),
    "no-model": (ModelMissing, "refused the request (HTTP 404): The model does not exist"),
    "status-429": (InvokeRateLimitError, "is asked too often (HTTP 429)"),
    "no-quota": (QuotaSpent, "has no quota left"),
    "status-500": (InvokeServerUnavailableError, "failed (HTTP 500)"),
    "status-503": (InvokeServerUnavailableError, "failed (HTTP 503)"),
    "says-text": (InvokeBadRequestError, "(HTTP 400): the model is not loaded"),
    "says-detail": (InvokeBadRequestError, "(HTTP 400): the model is not loaded"),
    "says-list": (InvokeBadRequestError, "(HTTP 400): the model is not loaded"),
    "html": (InvokeServerUnavailableError, "'mine' sent no answer: its `base_url` must"),
    "error-event": (InvokeServerUnavailableError, "broke off its answer"),
    "broken-event": (InvokeServerUnavailableError, "not a chat completion"),
    "cut": (InvokeConnectionError, "broke off its answer"),
    "cut-cleanly": (InvokeConnectionError, "broke off its answer"),
    "endless-arguments": (InvokeServerUnavailableError, "not a chat completion"),
    "stalls": (InvokeConnectionError, "did not answer within 0.3 seconds"),
    "silent": (InvokeConnectionError, "did not answer within 0.3 seconds"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told_plainly_and_without_the_key(
    chat: ChatServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind, text = FAILURES[name]
    with caplog.at_level(logging.DEBUG), pytest.raises(InvokeError) as caught:
        ask(model(chat, name, timeout_seconds=0.3, max_retries=0))
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text
    assert "Traceback" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["endless-line", "endless-refusal"])
def test_no_more_is_read_of_a_server_than_an_answer_can_have(
    chat: ChatServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_LONGEST_EVENT", "_MOST_OF_REFUSAL"):
        monkeypatch.setattr(f"engine.models.openai_network.{limit}", 200_000)
    with pytest.raises(InvokeServerUnavailableError, match="The model back end 'mine' sent more than an answer"):
        ask(model(chat, name, max_retries=2))
    assert len(chat.requests) == 1


@pytest.mark.parametrize("name", ["endless-text", "endless-thoughts", "endless-arguments"])
def test_an_answer_that_is_longer_than_it_may_be_is_left_while_it_arrives(chat: ChatServer, name: str) -> None:
    with pytest.raises(InvokeServerUnavailableError, match="'mine' sent more than 200000 bytes, which an answer may"):
        ask(model(chat, name, answer_bytes=200_000, max_retries=2))
    assert len(chat.requests) == 1
    assert chat.left.wait(HANG)


@pytest.mark.parametrize(
    ("name", "limits", "told"),
    [
        ("endless", {"answer_seconds": 0.3}, "did not finish its answer within 0.3 seconds"),
        ("drips", {"answer_seconds": 0.3}, "did not finish its answer within 0.3 seconds"),
        ("silent", {"answer_seconds": 0.3}, "did not finish its answer within 0.3 seconds"),
        ("drips", {"timeout_seconds": 0.3}, "did not answer within 0.3 seconds"),
    ],
)
def test_an_answer_that_takes_longer_than_it_may_says_which_limit(
    chat: ChatServer, name: str, limits: dict[str, float], told: str
) -> None:
    with pytest.raises(InvokeConnectionError, match=f"The model back end 'mine' {told}"):
        ask(model(chat, name, **{"timeout_seconds": 60, "answer_seconds": 0, "max_retries": 2, **limits}))
    assert len(chat.requests) == 1


def test_an_answer_whose_head_arrives_byte_by_byte_ends_in_time() -> None:
    gone = threading.Event()

    class Drip(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not gone.wait(0.02):
                    self.wfile.write(b"X")

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    with listening(Drip) as address:
        backend = Backend(kind="openai", base_url=f"{address}/v1", answer_seconds=0.3)
        try:
            with pytest.raises(InvokeConnectionError, match=r"did not finish its answer within 0\.3 seconds"):
                ask(adapter(Choice("mine", backend, "m", True), "openai", {}, CancelToken()))
        finally:
            gone.set()


def test_no_limit_of_an_answer_is_there_that_is_switched_off(chat: ChatServer) -> None:
    off = {"answer_bytes": 0, "answer_seconds": 0, "timeout_seconds": 0}
    assert ask(model(chat, **off)).message.content == "Hello there"


def test_an_answer_is_whole_that_is_only_marked_so(chat: ChatServer) -> None:
    assert ask(model(chat, "marked-only")).message.content == "Hello there"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_key_says_what_to_set(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.delenv("CHAT_KEY")
    with pytest.raises(KeyMissing, match=r"'mine' wants a key .* its `api_key_env` names is not set"):
        ask(model(chat, f"status-{status}"))


def test_a_closed_port_is_told_and_the_address_is_not(caplog: pytest.LogCaptureFixture) -> None:
    backend = Backend(kind="openai", base_url="http://127.0.0.1:9/v1", max_retries=0)
    asked = adapter(Choice("mine", backend, "m", True), "openai", {}, CancelToken())
    with pytest.raises(InvokeConnectionError, match="The model back end 'mine' could not be reached") as caught:
        ask(asked)
    assert "127.0.0.1" not in str(caught.value)


def test_a_refusal_for_now_is_tried_again_as_often_as_allowed(chat: ChatServer) -> None:
    assert ask(model(chat, "busy-twice", max_retries=2)).message.content == "Hello there"
    assert len(chat.requests) == 3


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("3600", 20), ("inf", 20), ("-1", 0), ("nan", 0), ("soon", 2), (None, 2)]
)
def test_it_waits_as_long_as_the_server_asks_but_not_for_ever(said: str | None, seconds: float) -> None:
    answer = httpx2.Response(
        503, headers={"Retry-After": said} if said else {}, request=httpx2.Request("POST", "http://m")
    )
    assert wait_of(openai.InternalServerError("busy", response=answer, body=None), 2) == seconds


@pytest.mark.parametrize(("name", "times"), [("status-503", 3), ("status-400", 1), ("no-quota", 1), ("cut", 1)])
def test_only_what_may_pass_and_has_not_begun_is_tried_again(chat: ChatServer, name: str, times: int) -> None:
    with pytest.raises(InvokeError):
        ask(model(chat, name, max_retries=2))
    assert len(chat.requests) == times


@pytest.mark.parametrize("name", ["silent", "stalls", "endless"])
def test_the_end_of_the_run_closes_the_connection_at_once(chat: ChatServer, name: str) -> None:
    cancel = CancelToken()
    ended = threading.Event()
    caught: list[BaseException] = []

    def work() -> None:
        try:
            ask(model(chat, name, cancel))
        except BaseException as error:
            caught.append(error)
        ended.set()

    threading.Thread(target=work, daemon=True).start()
    assert chat.asked.wait(HANG)
    cancel.trip("stopped")
    assert ended.wait(HANG)
    assert chat.left.wait(HANG)
    assert isinstance(caught[0], Cancelled)


def test_the_end_of_the_run_ends_the_wait_for_another_attempt(chat: ChatServer) -> None:
    waits: list[float] = []

    class Waiting(CancelToken):
        def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            threading.Thread(target=self.trip, args=["stopped"]).start()
            super().sleep(1_000_000)

    backend = Backend(kind="openai", base_url="http://127.0.0.1:9/v1", max_retries=10)
    with pytest.raises(Cancelled):
        ask(adapter(Choice("mine", backend, "m", True), "openai", {}, Waiting()))
    assert len(waits) == 1


def test_a_run_streams_what_the_server_says(chat: ChatServer, bench: Any, configure: Any) -> None:
    configure(models=table(chat))
    events = bench.run(chat_document())
    assert [e["answer"] for e in events if e["event"] == "message"] == ["Hello", " there"]
    assert events[-2]["metadata"]["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def test_a_run_with_thoughts_apart_and_a_schema(chat: ChatServer, bench: Any, configure: Any) -> None:
    configure(models=table(chat, "thinks"))
    thinking = llm("llm", "Why?")
    thinking["data"]["reasoning_format"] = "separated"
    graph = [
        node("start", "start", variables=[]),
        thinking,
        end(text=["llm", "text"], why=["llm", "reasoning_content"]),
    ]
    events = bench.run(document(graph, [edge("start", "llm"), edge("llm", "end")]))
    assert events[-1]["data"]["outputs"] == {"text": "So.", "why": "Let me see."}

    configure(models=table(chat, "json"))
    asking = llm("llm", "Who?")
    asking["data"] |= {"structured_output_enabled": True, "structured_output": {"schema": SCHEMA}}
    graph = [node("start", "start", variables=[]), asking, end(who=["llm", "structured_output"])]
    events = bench.run(document(graph, [edge("start", "llm"), edge("llm", "end")]))
    assert events[-1]["data"]["outputs"] == {"who": {"city": "Bern", "age": 40}}


@pytest.mark.parametrize("name", ["silent", "endless"])
def test_a_stopped_run_leaves_the_server(chat: ChatServer, bench: Any, configure: Any, soon: Any, name: str) -> None:
    configure(models=table(chat, name))
    run = bench.start(bench.app(chat_document()))
    assert chat.asked.wait(HANG)
    runs.stop(bench.stored(run))
    assert bench.events(run)[-1]["data"]["status"] == "stopped"
    assert chat.left.wait(HANG)


def test_a_run_whose_models_answer_is_too_long_fails_with_the_limit(
    chat: ChatServer, bench: Any, configure: Any
) -> None:
    configure(models=table(chat, "endless-text", answer_bytes=200_000))
    told = bench.run(chat_document())[-1]["data"]
    assert told["status"] == "failed"
    assert "The model back end 'mine' sent more than 200000 bytes, which an answer may have" in told["error"]


def test_a_failure_in_the_middle_is_the_nodes_error_after_the_text(
    chat: ChatServer, bench: Any, configure: Any
) -> None:
    configure(models=table(chat, "error-event"))
    events = bench.run(chat_document())
    assert "".join(e["answer"] for e in events if e["event"] == "message") == "Hel"
    assert events[-1]["data"]["status"] == "failed"
    assert "broke off its answer: overloaded …" in events[-1]["data"]["error"]
    assert KEY not in json.dumps(events)
