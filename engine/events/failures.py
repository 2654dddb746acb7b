"""Why a run broke, as the ``error`` event says it: a code and a number like an HTTP status."""

from __future__ import annotations

import re
from typing import NamedTuple

_CLASS = re.compile(r"<(?:class|enum) '(?:\w+\.)*(\w+)'>")


def in_words(error: str) -> str:
    """Return an error's text without what only a maintainer could use: tracebacks, classes of Python."""
    return _CLASS.sub(r"\1", error.split("\nTraceback", 1)[0]).strip() or "The run failed"


class Cause(NamedTuple):
    """``code`` is one of the contract's error codes."""

    code: str
    status: int


INTERNAL = Cause("internal_server_error", 500)
LOST = Cause("worker_lost", 500)
_MODEL = Cause("completion_request_error", 400)
# By the name of the error's class, which is all that the engine hands on.
_BY_TYPE = {
    "AgentGaveUp": INTERNAL,
    "KeyMissing": Cause("provider_not_initialize", 400),
    "ModelMissing": Cause("model_currently_not_support", 400),
    "QuotaSpent": Cause("provider_quota_exceeded", 400),
    "NoPromptFoundError": Cause("invalid_param", 400),
    "KnowledgeRetrievalError": Cause("app_unavailable", 400),
    "LookupFailed": Cause("app_unavailable", 400),
    "ToolMissing": Cause("app_unavailable", 400),
    "NodeUnavailable": Cause("app_unavailable", 400),
}


def cause_of(error_type: str) -> Cause:
    """Return what an error of this type means; in these apps nearly everything that breaks is a model's call."""
    return _BY_TYPE.get(error_type, _MODEL)
