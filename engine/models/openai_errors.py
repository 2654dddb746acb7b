"""What went wrong at a model server, told so that its reader can act, and without keys."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import openai

from engine.models.errors import (
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeConnectionError,
    InvokeError,
    InvokeRateLimitError,
    InvokeServerUnavailableError,
    KeyMissing,
    ModelMissing,
    QuotaSpent,
)

_MAX_REASON = 300
_SAID_IN, _MAX_DEPTH = ("message", "error", "detail", "msg"), 4
_KEY = re.compile(r"\b(sk|pk|key|gsk|xai)-[\w*.-]{4,}", re.IGNORECASE)
_LATER = (408, 409, 429)
_SPENT = ("insufficient_quota", "billing_hard_limit_reached")


class AnswerFault(Exception):
    """A server answered, but not with a whole chat completion."""


class NoAnswer(AnswerFault):
    """It accepted the request and sent no event."""


class BrokenOff(AnswerFault):
    """Its answer ended before the end."""


class TooLong(AnswerFault):
    """It sent more than an answer can have."""


class TooMuch(AnswerFault):
    """Its answer is longer than may be: so many bytes."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class TooSlow(AnswerFault):
    """Its answer was not whole within so many seconds, or, when it was ``silent``, nothing was heard for so long."""

    def __init__(self, seconds: float, *, silent: bool = False) -> None:
        super().__init__(seconds)
        self.seconds, self.silent = seconds, silent


def told(error: Exception, backend: str, key: str | None, timeout: float) -> InvokeError:
    """Return the node's error for what the library raised. ``key`` must not show in it."""
    who = f"The model back end '{backend}'"
    if isinstance(error.__cause__, AnswerFault):
        error = error.__cause__  # the library does not know it, and takes it for a broken connection
    match error:
        case openai.APITimeoutError() | httpx2.TimeoutException():
            return InvokeConnectionError(f"{who} did not answer within {timeout:g} seconds")
        case openai.APIConnectionError() | httpx2.HTTPError():
            cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
            if isinstance(cause, (httpx2.ReadError, httpx2.RemoteProtocolError)):
                return InvokeConnectionError(f"{who} broke off its answer")
            return InvokeConnectionError(f"{who} could not be reached")
        case BrokenOff():
            return InvokeConnectionError(f"{who} broke off its answer")
        case NoAnswer():
            return InvokeServerUnavailableError(
                f"{who} sent no answer: its `base_url` must lead to a server that streams chat completions"
            )
        case TooSlow(silent=True):
            return InvokeConnectionError(f"{who} did not answer within {error.seconds:g} seconds")
        case TooSlow():
            return InvokeConnectionError(f"{who} did not finish its answer within {error.seconds:g} seconds")
        case TooMuch():
            return InvokeServerUnavailableError(f"{who} sent more than {error.most} bytes, which an answer may have")
        case TooLong():
            return InvokeServerUnavailableError(f"{who} sent more than an answer can have")
        case openai.APIStatusError():
            return _status(error, who, key)
        case openai.APIError():
            # An error told in the middle of a stream.
            return InvokeServerUnavailableError(f"{who} broke off its answer{_reason(error, key)}")
    return InvokeServerUnavailableError(f"{who} answered with something that is not a chat completion")


def _status(error: openai.APIStatusError, who: str, key: str | None) -> InvokeError:
    status = error.status_code
    if status in (401, 403) and key is None:
        return KeyMissing(f"{who} wants a key (HTTP {status}); the variable that its `api_key_env` names is not set")
    if status in (401, 403):
        return InvokeAuthorizationError(f"{who} refused the server's key (HTTP {status})")
    if status == 429:
        if spent(error):
            return QuotaSpent(f"{who} has no quota left (HTTP 429)")
        return InvokeRateLimitError(f"{who} is asked too often (HTTP 429); try again later")
    if status >= 500 or status == 408:
        return InvokeServerUnavailableError(f"{who} failed (HTTP {status}){_reason(error, key)}")
    reason = _reason(error, key)
    # Servers have no code in common for it, but all of them say which model.
    kind = ModelMissing if status == 404 and "model" in reason.lower() else InvokeBadRequestError
    return kind(f"{who} refused the request (HTTP {status}){reason}")


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error.__cause__, AnswerFault):
        return False
    if isinstance(error, openai.APIStatusError):
        return (error.status_code in _LATER or error.status_code >= 500) and not spent(error)
    return isinstance(error, (openai.APIConnectionError, httpx2.TransportError))


def wait_of(error: Exception, attempt: int) -> float:
    """Return the seconds to wait before another attempt: what the server asks for (at most 20), or 0.5, 1, 2…"""
    if isinstance(error, openai.APIStatusError):
        try:
            return min(20.0, max(0.0, float(error.response.headers.get("retry-after", ""))))
        except ValueError:
            pass
    return float(min(8.0, 0.5 * 2**attempt))


def spent(error: openai.APIStatusError) -> bool:
    """Whether the account behind the key has nothing left: waiting does not help."""
    return error.status_code == 429 and error.code in _SPENT


def _reason(error: openai.APIError, key: str | None) -> str:
    """The server's own sentence, if it sent one as JSON; what is no JSON may be the page of a proxy."""
    if isinstance(error, openai.APIStatusError) and "json" not in error.response.headers.get("content-type", ""):
        return ""
    text = _sentence(error.body)
    if key:
        text = text.replace(key, "…")
    text = _KEY.sub("…", " ".join(text.split()))
    return f": {text[:_MAX_REASON]}{'…' if len(text) > _MAX_REASON else ''}" if text else ""


def _sentence(body: Any, depth: int = 0) -> str:
    """The first text in the places where servers of this protocol say what is wrong."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict) and depth < _MAX_DEPTH:
        return next((text for name in _SAID_IN if (text := _sentence(body.get(name), depth + 1))), "")
    return body if isinstance(body, str) else ""
