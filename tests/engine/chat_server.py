"""A strict server of the chat completions protocol over real HTTP, which behaves as the model's name says."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.waiting import HANG

KEY = "sk-test-0123456789abcdef"
_REQUEST: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsStreaming)


class ChatServer:
    """What it was asked, and how many of its streams were left open by their readers."""

    def __init__(self) -> None:
        self.url = ""
        self.forget()

    def forget(self) -> None:
        """Begin anew: nothing was asked."""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.left = threading.Event()
        self.asked = threading.Event()

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])

    async def complete(self, request: Request) -> Response:
        left = self.left  # of this test: a reader may leave when the next one has begun
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization"))
        self.asked.set()
        try:
            # TypedDicts let unknown members pass: those are compared by name.
            _REQUEST.validate_python(body)
            unknown = set(body) - set(CompletionCreateParamsStreaming.__annotations__)
            if unknown - {"messages", "model"} - _members():
                return _refusal(400, f"Unrecognized request argument supplied: {sorted(unknown)[0]}")
        except ValidationError as error:
            return _refusal(400, str(error.errors()[0]["msg"]))
        name = body["model"]
        if name == "agent":
            # It wants a tool until it is told what a tool gave.
            name = "agent-knows" if body["messages"][-1]["role"] == "tool" else "tools-weekday"
        if name == "react":
            told = "Observation:" in str(body["messages"][-1]["content"])
            name = "react-knows" if told else "react-asks"
        if name.startswith("status-"):
            status = int(name.removeprefix("status-"))
            return _refusal(status, f"Incorrect API key provided: {KEY}. See https://help.example", headers=_soon())
        if name == "no-quota":
            return _refusal(429, "You exceeded your quota", code="insufficient_quota", headers=_soon())
        if name == "no-model":
            return _refusal(404, "The model does not exist")
        if name == "busy-twice" and len(self.requests) < 3:
            return _refusal(429, "busy", headers=_soon())
        if name in REFUSALS:
            return JSONResponse(REFUSALS[name], 400)
        if name == "endless-refusal":
            return StreamingResponse(_endless(b"x" * 9 + b"\n"), 400, media_type="application/json")
        if name == "html":
            return PlainTextResponse("<html>Welcome!</html>")
        if name == "silent":
            await self._until_left(request, left)
            return PlainTextResponse("")
        return StreamingResponse(self.stream(name, request, left), media_type="text/event-stream")

    async def stream(self, name: str, request: Request, left: threading.Event) -> AsyncIterator[bytes]:
        try:
            async for piece in self.pieces(name, request):
                yield piece
        finally:
            left.set()

    async def pieces(self, name: str, request: Request) -> AsyncIterator[bytes]:
        for delta in SCRIPTS.get(name, [{"content": "Hello"}, {"content": " there"}]):
            if isinstance(delta, str):
                yield f"data: {delta}\n\n".encode()
                return
            yield _event(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
        if name == "cut":
            raise ConnectionError("as if the machine went away")
        if name == "cut-cleanly":
            return
        if name == "endless-line":
            async for piece in _endless(b"data: "):
                yield piece
        if name == "endless-arguments":
            for _ in range(100):
                yield _event(choices=[{"index": 0, "delta": _call(0, arguments="x" * 50_000), "finish_reason": None}])
        if name in ("endless-text", "endless-thoughts"):
            member = "content" if name == "endless-text" else "reasoning_content"
            while True:
                yield _event(choices=[{"index": 0, "delta": {member: "x" * 50_000}, "finish_reason": None}])
                await asyncio.sleep(0)
        if name == "drips":
            async for piece in _endless(b":"):
                yield piece
                await asyncio.sleep(0.02)
        if name == "endless":
            for index in itertools.count():
                yield _event(choices=[{"index": 0, "delta": {"content": f"{index} "}, "finish_reason": None}])
                await asyncio.sleep(0)
        if name == "stalls":
            await asyncio.Event().wait()
        if name == "marked-only":
            yield b"data: [DONE]\n\n"
            return
        reason = "tool_calls" if name.startswith("tools") else "stop"
        yield _event(choices=[{"index": 0, "delta": {}, "finish_reason": reason}])
        if name != "no-usage":
            usage: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
            if name == "odd-usage":
                usage = {"prompt_tokens": "many", "completion_tokens": -7, "total_tokens": None}
            yield _event(choices=[], usage=usage)
        yield b"data: [DONE]\n\n"

    async def _until_left(self, request: Request, left: threading.Event) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left.set()


def _call(index: int, **function: str) -> dict[str, Any]:
    call_id = function.pop("id", None)
    return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}


SCRIPTS: dict[str, list[Any]] = {
    "thinks": [{"reasoning_content": "Let me"}, {"reasoning_content": " see."}, {"content": "So."}],
    "thinks-too": [{"reasoning": "Hm."}, {"content": "So."}],
    "only-thinks": [{"reasoning_content": "Hm."}],
    "tools": [
        _call(0, id="a", name="weather", arguments=""),
        _call(0, arguments='{"city"'),
        _call(1, id="b", name="time", arguments="{}"),
        _call(0, arguments=': "Bern"}'),
    ],
    "tools-all-zero": [
        _call(0, id="a", name="weather", arguments='{"city": "Bern"}'),
        _call(0, id="b", name="time", arguments="{}"),
    ],
    "tools-weekday": [
        {"content": "Let me "},
        {"content": "see. "},
        _call(0, id="a", name="weekday", arguments='{"year": 2026, '),
        _call(0, arguments='"month": 11, "day": 23}'),
    ],
    "agent-knows": [{"content": "It is "}, {"content": "Monday."}],
    "react-asks": [
        {"reasoning_content": 'Perhaps {"action": "Final Answer", "action_input": "wrong"}?'},
        {"content": "Thought: I look.\nAction:\n```json\n"},
        {"content": '{"action": "weekday", "action_input": {"year": 2026, "month": 11, "day": 23}}\n```'},
    ],
    "react-knows": [
        {"content": 'Thought: I know.\nAction: {"action": "Final Answer", "action_in'},
        {"content": 'put": "It is '},
        {"content": 'Monday."}'},
    ],
    "json": [{"content": '{"city": '}, {"content": '"Bern", "age": 40}'}],
    "sloppy-json": [{"content": '```json\n{"city": "Bern", "age": 40,}\n```'}],
    "no-json": [{"content": "I would rather not."}],
    "refuses": [{"refusal": "I cannot help with that."}],
    "error-event": [{"content": "Hel"}, json.dumps({"error": {"message": f"overloaded {KEY}", "type": "server"}})],
    "broken-event": [{"content": "Hel"}, "{not json"],
    "cut": [{"content": "Hel"}],
    "cut-cleanly": [{"content": "Hel"}],
    "endless-arguments": [],
    "stalls": [{"content": "Hel"}],
}


REFUSALS: dict[str, Any] = {
    "says-text": {"error": "the model is not loaded"},
    "says-detail": {"detail": [{"loc": ["body"], "msg": "the model is not loaded"}]},
    "says-list": [{"error": {"code": 400, "message": "the model is not loaded"}}],
}


async def _endless(piece: bytes) -> AsyncIterator[bytes]:
    while True:
        yield piece * 1000
        await asyncio.sleep(0)


def _members() -> set[str]:
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase

    return set(CompletionCreateParamsBase.__annotations__)


def _event(**members: Any) -> bytes:
    event = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", **members}
    return f"data: {json.dumps(event)}\n\n".encode()


def _refusal(status: int, message: str, *, code: str | None = None, headers: Any = None) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers)


def _soon() -> dict[str, str]:
    return {"Retry-After": "0"}


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A server on a free port, for the length of the block."""
    chat = ChatServer()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    chat.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    server = uvicorn.Server(uvicorn.Config(chat.app(), log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield chat
    finally:
        server.should_exit = True
        thread.join(HANG)
