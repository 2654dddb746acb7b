"""Models behind the chat completions protocol: OpenAI's own and everything compatible with it.

The ``openai`` package speaks it. It is loaded with this module, so this module is loaded when it is used. Its
retries are switched off, because they sleep where a run's end cannot wake them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import openai
from graphon.model_runtime.entities.llm_entities import LLMResultChunk
from graphon.model_runtime.entities.message_entities import PromptMessage, PromptMessageTool

from engine.models.base import BaseModelAdapter, tool_call
from engine.models.errors import InvokeError
from engine.models.json_answers import wanted_schema
from engine.models.openai_answer import Answer
from engine.models.openai_errors import AnswerFault, is_passing, told, wait_of
from engine.models.openai_messages import messages_of, schema_format, told_schema, tools_of
from engine.models.openai_network import Limits, Transport, without_key
from engine.models.table import Choice
from engine.network.sockets import KeptSockets
from engine.running.cancel import Cancelled, CancelToken

logger = logging.getLogger(__name__)

_PARAMETERS = frozenset(
    {
        "temperature", "top_p", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty",
        "seed", "reasoning_effort", "verbosity", "logit_bias",
    }
)  # fmt: skip


class OpenAIModel(BaseModelAdapter):
    """One model of one back end, for one node."""

    def __init__(
        self, choice: Choice, provider: str, parameters: Mapping[str, Any] | None, cancel: CancelToken
    ) -> None:
        super().__init__(provider, choice.model, parameters, cancel)
        self.backend, self.backend_name = choice.backend, choice.backend_name

    def endpoint(self) -> tuple[str, str | None]:
        """Where the protocol is spoken, and the key to show there."""
        return self.backend.base_url, self.backend.api_key()

    def chunks(
        self,
        messages: Sequence[PromptMessage],
        parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool],
        stop: Sequence[str],
    ) -> Generator[LLMResultChunk, None, None]:
        """Yield the answer as it arrives."""
        began = time.perf_counter()
        request = self.request(messages, {**self.parameters, **parameters}, tools, stop)
        answer = Answer(self.backend.answer_bytes)
        index = 0
        with self._client() as (client, transport):
            for event in self._events(client, request):
                for text in answer.add(event):
                    yield self.chunk(index, text)
                    index += 1
            for text in answer.rest(transport.over):
                yield self.chunk(index, text)
                index += 1
        calls = [
            tool_call(call["id"] or f"call_{n}", call["name"], call["arguments"] or "{}")
            for n, call in enumerate(answer.calls)
        ]
        usage = self.usage(
            answer.prompt_tokens or self.get_llm_num_tokens(messages), answer.completion_tokens or index, began
        )
        reason = answer.finish_reason or ("tool_calls" if calls else "stop")
        yield self.chunk(index, "", usage=usage, finish_reason=reason, tool_calls=calls)

    def request(
        self,
        messages: Sequence[PromptMessage],
        parameters: Mapping[str, Any],
        tools: Sequence[PromptMessageTool],
        stop: Sequence[str],
    ) -> dict[str, Any]:
        """Return what is asked of the server, but for how the answer is to arrive."""
        backend = self.backend
        passed = _PARAMETERS | set(backend.pass_parameters)
        body = {
            backend.rename_parameters.get(name, name): value
            for name, value in parameters.items()
            if name in passed and value is not None
        }
        said = messages_of(messages)
        schema = wanted_schema(parameters)
        if schema is not None and "structured" in backend.features:
            body["response_format"] = schema_format(schema)
        elif schema is not None:
            said = told_schema(said, schema)
        elif parameters.get("response_format") == "json_object":
            body["response_format"] = {"type": "json_object"}
        if tools:
            body["tools"] = tools_of(tools)
        if stop:
            body["stop"] = list(stop)
        return {"model": self.model_name, "messages": said, **body}

    @contextmanager
    def _client(self) -> Iterator[tuple[openai.OpenAI, Transport]]:
        """A client whose connections end with the run, and whose failures are told in our words."""
        kept, backend = KeptSockets(), self.backend
        url, key = self.endpoint()
        timeout = httpx2.Timeout(backend.timeout_seconds or None, connect=backend.connect_seconds)
        limits = Limits(backend.answer_bytes, backend.answer_seconds, backend.timeout_seconds)
        transport = Transport(kept, limits)
        try:
            with (
                self.cancel.hook(kept.abort),
                # Uncompressed: each piece is read when it arrives, and none is larger than it was sent.
                httpx2.Client(transport=transport, timeout=timeout, headers={"Accept-Encoding": "identity"}) as http,
            ):
                if key is None:
                    # The library insists on one; a server that wants none is not shown a made-up one.
                    http.event_hooks["request"] = [without_key]
                client = openai.OpenAI(
                    api_key=key or "none", base_url=url, max_retries=0, timeout=timeout, http_client=http
                )
                yield client, transport
        except (Cancelled, InvokeError):
            raise
        except (AnswerFault, openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            if self.cancel.tripped:
                raise Cancelled(self.cancel.reason or "stopped") from None
            failure = told(transport.late or error, self.backend_name, key, backend.timeout_seconds)
            logger.warning("%s [%s, %s]", failure, type(error).__name__, self.model_name)
            raise failure from None
        finally:
            kept.close()

    def _events(self, client: openai.OpenAI, request: Mapping[str, Any]) -> Iterator[Any]:
        """The server's events; a request that got no answer is sent again, as often as the back end allows."""
        # In the body as it is: the library refuses parameters that it does not know, and servers know more.
        rest = {name: value for name, value in request.items() if name not in ("model", "messages")}
        for attempt in range(self.backend.max_retries + 1):
            self.cancel.check()
            try:
                stream = client.chat.completions.create(
                    model=request["model"],
                    messages=request["messages"],
                    stream=True,
                    stream_options={"include_usage": True},
                    extra_body=rest,
                )
            except (openai.APIError, httpx2.HTTPError) as error:
                if self.cancel.tripped or attempt == self.backend.max_retries or not is_passing(error):
                    raise
                self.cancel.sleep(wait_of(error, attempt))
                continue
            with stream:
                for event in stream:
                    self.cancel.check()
                    yield event
            # A connection that the run's end broke looks like the end of the stream.
            self.cancel.check()
            return
